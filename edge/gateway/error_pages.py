"""What a browser is shown where Envoy itself answers: a page, in every language at once.

It depends on nothing but Envoy: the process of the pages may be what does not answer.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from html import escape

from edge.gateway.headers import security_headers
from edge.gateway.typed import Json, set_header
from edge.web.languages import Catalog, load_catalogs
from edge.web.paths import ENDPOINT_PATHS, PAGE_PATHS

# The look of edge/web/assets/style.css, as far as such a page needs it.
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:0;background:#f4f5f7;color:#1d2129;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:27rem;margin:3rem auto;padding:1.5rem;background:#fff;border-radius:.75rem}"
    "h1,h2{margin:0 0 .5rem;font-size:1.5rem;line-height:1.25}p{margin:0 0 1.5rem}"
    "a{color:#1f5fd0}"
    "@media(prefers-color-scheme:dark){body{background:#14171c;color:#e6e8ec}"
    "main{background:#1c2027}a{color:#8ab4ff}}"
)
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'; base-uri 'none'"
)

# Where people do not look: what is refused there has the shape of the API.
_APIS_PATHS = ("/api/", "/.well-known/", "/portico.")


def wants_page() -> str:
    """A CEL expression: the request is for a page, or a browser's for no path of the API.

    What a browser opens, or sends a form to, it asks for as text/html.
    """
    path = "request.url_path"
    pages = " || ".join(_covers(path, page.path, below=page.below) for page in PAGE_PATHS)
    apis = " || ".join(f"{path}.startsWith({_quoted(prefix)})" for prefix in _APIS_PATHS)
    accepts = '"accept" in request.headers && request.headers["accept"].contains("text/html")'
    grpc = (
        '"content-type" in request.headers'
        ' && request.headers["content-type"].startsWith("application/grpc")'
    )
    apis += "".join(f" || {path} == {_quoted(each.path)}" for each in ENDPOINT_PATHS)
    return f"({pages} || ({accepts} && !({apis}))) && !({grpc})"


def wants_oauth() -> str:
    """A CEL expression: the request is for what programs call in the formats of OAuth."""
    path = "request.url_path"
    return " || ".join(f"{path} == {_quoted(each.path)}" for each in ENDPOINT_PATHS)


def page_reply(status: int) -> Json:
    """The fields of a local reply that make it a page.

    Args:
        status: the HTTP status that is sent.
    """
    # Envoy's own placeholders are in percent signs.
    text = _page(status).replace("%", "%%")
    return {
        "body_format_override": {
            "text_format_source": {"inline_string": text},
            "content_type": "text/html; charset=utf-8",
        }
    }


def page_headers() -> list[Json]:
    """The security headers of such a page."""
    own = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}
    return [
        *(set_header(name, value) for name, value in own.items()),
        *security_headers(*own),
    ]


def _covers(path: str, page: str, *, below: bool) -> str:
    same = f"{path} == {_quoted(page)}"
    return f"{same} || {path}.startsWith({_quoted(f'{page}/')})" if below else same


def _quoted(text: str) -> str:
    return f'"{text}"'


@cache
def _catalogs() -> Sequence[Catalog]:
    return tuple(load_catalogs().values())


def _page(status: int) -> str:
    catalogs = _catalogs()
    kind = str(status) if catalogs[0].has(f"errors.{status}.title") else "OTHER"
    kind = "400" if kind == "OTHER" and status < 500 else kind
    sections = [
        _section(catalog, kind, "h2" if at else "h1") for at, catalog in enumerate(catalogs)
    ]
    title = escape(catalogs[0].text(f"errors.{kind}.title"))
    start = " / ".join(escape(catalog.text("errors.start")) for catalog in catalogs)
    return (
        f'<!doctype html><html lang="{catalogs[0].language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>{''.join(sections)}"
        f'<a href="/">{start}</a></main></body></html>\n'
    )


def _section(catalog: Catalog, kind: str, heading: str) -> str:
    title = escape(catalog.text(f"errors.{kind}.title"))
    text = escape(catalog.text(f"errors.{kind}.text"))
    return f'<div lang="{catalog.language}"><{heading}>{title}</{heading}><p>{text}</p></div>'
