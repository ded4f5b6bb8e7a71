"""A calendar that takes calls back: what the front desk's `book_callback` is carried out by. Ends with Ctrl-C.

POST with {"key", "call", "action", "arguments"} books, once a key; GET ?key=KEY says what became of it, 404 = nothing.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

BOOKED: dict[str, str] = {}  # key -> what the caller is told


class Calendar(BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(200, BOOKED.setdefault(order["key"], f"a call back at {order['arguments']['time']}"))

    def do_GET(self) -> None:
        key = parse_qs(urlsplit(self.path).query).get("key", [""])[0]
        self._answer(200 if key in BOOKED else 404, BOOKED.get(key, ""))

    def _answer(self, status: int, result: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"ok": status == 200, "result": result}).encode())


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8765), Calendar).serve_forever()
