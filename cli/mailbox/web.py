"""The mailbox over HTTP: the page and a JSON API.

The standard library serves them, a thread for each request: it is for the few
looks of a developer, and a framework would cost 10 MB while nobody looks.
"""

from __future__ import annotations

import json
import socket
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cli.mailbox.page import POLICY, render
from cli.mailbox.store import Mailbox

MESSAGES = "/messages"
SECONDS = 10  # that a client may take for a request


class Server(ThreadingHTTPServer):
    """Listens at an address of either family."""

    def __init__(self, host: str, port: int, mailbox: Mailbox) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), partial(Handler, mailbox))


class Handler(BaseHTTPRequestHandler):
    """One connection. The methods' names are those of the standard library."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def __init__(self, mailbox: Mailbox, *arguments: Any) -> None:
        self._mailbox = mailbox
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """The page, every mail, or one of them."""
        path = self.path.partition("?")[0]
        if path == "/":
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", render(self._mailbox.all()))
        elif path == MESSAGES:
            shown = [each.to_json() for each in self._mailbox.all()]
            self._send_json(HTTPStatus.OK, {"messages": shown})
        else:
            self._send_one(path)

    def do_DELETE(self) -> None:
        """Throws every mail away."""
        if self.path != MESSAGES:
            self._send_json(HTTPStatus.NOT_FOUND, {"error": "no such page"})
            return
        self._mailbox.clear()
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Says nothing: the log is about mails."""

    def _send_one(self, path: str) -> None:
        found = self._mailbox.find(path.removeprefix(f"{MESSAGES}/"))
        if found is None:
            self._send_json(HTTPStatus.NOT_FOUND, {"error": "no such message"})
        else:
            self._send_json(HTTPStatus.OK, found.to_json())

    def _send_json(self, status: HTTPStatus, content: object) -> None:
        self._send(status, "application/json; charset=utf-8", json.dumps(content))

    def _send(self, status: HTTPStatus, content_type: str, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-security-policy", POLICY)
        self.send_header("referrer-policy", "no-referrer")
        self.send_header("x-content-type-options", "nosniff")
        self.end_headers()
        self.wfile.write(body)
