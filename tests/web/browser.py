"""A browser without a screen: it keeps cookies, reads forms out of pages, and sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from tests.support.addresses import new_address

HOST = "portico.example"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"


@dataclass
class Form:
    """A form of a page.

    Attributes:
        fields: what it sends if nothing is typed: the values that stand in it.
    """

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """Reads what tests ask about out of a page."""

    def __init__(self, body: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.attributes: dict[str, dict[str, str]] = {}
        self._open: list[str] = []
        self.feed(body)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.attributes.setdefault(tag, values)
        if "id" in values:
            self.attributes[f"#{values['id']}"] = values
        if tag == "form":
            self.forms.append(Form(values.get("action", ""), values.get("method", "get")))
        elif tag == "input" and self.forms and "name" in values:
            ticked = values.get("type") != "checkbox" or "checked" in values
            if ticked:
                self.forms[-1].fields[values["name"]] = values.get("value", "")
        elif tag == "a":
            self.links.append(values.get("href", ""))
        if tag not in ("input", "meta", "link", "img", "br", "hr"):
            self._open.append(values.get("role") or values.get("class") or tag)
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            closed = self._open.pop()
            self._open.pop()
            if closed == tag:
                return

    def handle_data(self, data: str) -> None:
        if data.strip():
            for name in set(self._open):
                self.texts.setdefault(name, []).append(data.strip())


@dataclass(frozen=True)
class PageAnswer:
    """An answer as a browser sees it."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def reader(self) -> Reader:
        return Reader(self.text)

    @property
    def title(self) -> str:
        return self.words("title")

    @property
    def heading(self) -> str:
        return self.words("h1")

    @property
    def alert(self) -> str:
        """What is announced as wrong."""
        return self.words("alert")

    @property
    def notice(self) -> str:
        """What is announced as done."""
        return self.words("status")

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        assert self.status == 303, (self.status, self.text)
        return self.headers["Location"]

    def words(self, name: str) -> str:
        """The text in elements with this role, class or name."""
        return " ".join(self.reader.texts.get(name, []))

    def form(self, action: str) -> Form:
        """The form that is sent to a path."""
        [found] = [each for each in self.reader.forms if each.action == action]
        return found


class Browser:
    """One browser of one person, with an address of its own.

    Args:
        socket: where the pages are served.
        headers: what it sends with each request.
    """

    base = f"http://{HOST}"

    def __init__(self, socket: Path, headers: Mapping[str, str] | None = None) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket)), cookie_jar=aiohttp.DummyCookieJar()
        )
        self.address = new_address()
        self.headers = {
            "Host": HOST,
            "User-Agent": AGENT,
            "X-Edge-Address": self.address,
            "X-Request-Id": "request-of-the-test",
            **(headers or {}),
        }
        self.cookies: dict[str, str] = {}

    async def close(self) -> None:
        await self._http.close()

    async def get(self, path: str, **headers: str) -> PageAnswer:
        """Opens a page."""
        return await self.send("GET", path, None, headers)

    async def follow(self, answer: PageAnswer) -> PageAnswer:
        """Goes where an answer sends the browser."""
        return await self.get(answer.location)

    async def submit(self, page: PageAnswer, action: str, **typed: str) -> PageAnswer:
        """Types into a form of a page and sends it."""
        fields = {**page.form(action).fields, **typed}
        return await self.post(action, fields)

    async def post(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> PageAnswer:
        """Sends a form."""
        body = urlencode(fields).encode()
        kind = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Sec-Fetch-Site": "same-origin",
        }
        return await self.send("POST", path, body, {**kind, **(headers or {})})

    async def send(
        self, verb: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> PageAnswer:
        """One request; cookies are sent and kept."""
        url = URL(f"{self.base}{urlsplit(urljoin('/', path)).geturl()}", encoded=True)
        sent = {**self.headers, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self._http.request(
            verb, url, data=body, headers=sent, allow_redirects=False
        ) as answer:
            for name, cookie in answer.cookies.items():
                # A browser keeps a cookie of this name only so.
                assert cookie["secure"]
                assert cookie["httponly"]
                assert cookie["path"] == "/"
                assert cookie["samesite"] == "Lax"
                assert not cookie["domain"]
                self.cookies[name] = cookie.coded_value
                if cookie["max-age"] == "0":
                    del self.cookies[name]
            return PageAnswer(answer.status, answer.headers, await answer.read())


class FrontDoorBrowser(Browser):
    """A browser that comes through the gateway.

    Args:
        base_url: where the gateway listens. It believes what a client says of its address.
    """

    def __init__(self, base_url: str) -> None:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self.base = base_url
        self.address = new_address()
        self.headers = {"User-Agent": AGENT, "X-Forwarded-For": self.address}
        self.cookies = {}
