"""The mailbox as a page. Every word in it may come from a stranger, so every word is escaped."""

from __future__ import annotations

import re
from html import escape

from cli.mailbox.store import Message

# No script at all, and nothing loaded from anywhere: a mail cannot call home.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

STYLE = """
:root {
  color-scheme: light dark;
  --ink: light-dark(#1d2129, #e6e8ec);
  --faint: light-dark(#667085, #98a1b0);
  --line: light-dark(#e3e6eb, #2c323c);
  --page: light-dark(#f6f7f9, #14171c);
  --card: light-dark(#ffffff, #1c2027);
  --link: light-dark(#1f5fd0, #7fb0ff);
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 2.5rem 1.25rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
}
main { max-width: 46rem; margin: 0 auto; }
header { display: flex; align-items: baseline; gap: 1rem; margin-bottom: 1.25rem; }
h1 { font-size: 1.4rem; margin: 0; flex: 1; }
a { color: var(--link); }
details {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  margin-bottom: .6rem; overflow: hidden;
}
summary { padding: .8rem 1rem; cursor: pointer; list-style: none; }
summary:focus-visible { outline: 2px solid var(--link); outline-offset: -2px; }
.subject { font-weight: 600; overflow-wrap: anywhere; }
.facts {
  color: var(--faint); font-size: .88rem; display: flex; gap: 1rem;
  justify-content: space-between; overflow-wrap: anywhere;
}
.facts time { white-space: nowrap; }
pre {
  margin: 0; padding: 1rem; border-top: 1px solid var(--line); font: .95rem/1.55 inherit;
  font-family: inherit; white-space: pre-wrap; overflow-wrap: anywhere;
}
iframe { display: block; width: 100%; height: 16rem; border: 0; border-top: 1px solid var(--line);
  background: #fff; color-scheme: light; }
.empty { color: var(--faint); padding: 3rem 1rem; text-align: center; }
"""

LINK = re.compile(r"https?://[^\s<>\"']+")


def render(messages: tuple[Message, ...]) -> str:
    """The whole page: the mails, newest first, the newest one open."""
    cards = "".join(card(message, opened=index == 0) for index, message in enumerate(messages))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox ({len(messages)})</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header><h1>Mailbox</h1><a href="/">Refresh</a><a href="/messages">JSON</a></header>
{cards or '<p class="empty">No mail yet. Whatever Portico sends arrives here.</p>'}
</main>
</body>
</html>
"""


def card(message: Message, *, opened: bool) -> str:
    """One mail: subject and addresses always, its content on demand."""
    received = message.received_at
    framed = ""
    if message.html is not None:
        # Sandboxed: the mail's own HTML runs no script and submits no form.
        framed = f'<iframe sandbox title="HTML" srcdoc="{escape(message.html)}"></iframe>'
    return f"""<details{" open" if opened else ""}>
<summary>
<div class="subject">{escape(message.subject) or "(no subject)"}</div>
<div class="facts">
<span>To {escape(", ".join(message.recipients))}, from {escape(message.sender)}</span>
<time datetime="{received.isoformat()}">{received:%d %b %H:%M:%S} UTC</time>
</div>
</summary>
<pre>{linked(message.text)}</pre>{framed}
</details>
"""


def linked(text: str) -> str:
    """Escaped text in which addresses of pages can be clicked."""
    parts: list[str] = []
    end = 0
    for match in LINK.finditer(text):
        address = escape(match.group())
        parts.append(escape(text[end : match.start()]))
        parts.append(f'<a href="{address}" rel="noreferrer noopener">{address}</a>')
        end = match.end()
    return "".join((*parts, escape(text[end:])))
