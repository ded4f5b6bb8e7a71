"""A tool's side: a real HTTP server on loopback that keeps what was done, by key, and can be made to fail."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class ToolServer:
    """`done` holds the bodies of acts by key, `asked` all requests as (method, key). What it does with an act:

    "do", "hang" (it acts, and never answers), "break" (it acts, and cuts the connection), or an HTTP status to answer
    with instead of acting.
    """

    def __init__(self) -> None:
        self.done: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.how: str | int = "do"
        self.answer: bytes | None = None
        self.look_up_status = 0  # instead of the truth
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._requests())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/acts"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _requests(self) -> type[BaseHTTPRequestHandler]:
        side = self

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                key = self.headers["Idempotency-Key"]
                side.asked.append(("POST", key))
                side.headers.append(dict(self.headers))
                if isinstance(side.how, int):
                    self._send(side.how, side.answer or b"{}")
                    return
                side.done.setdefault(key, []).append(body)
                if side.how == "hang":
                    side._released.wait(30)
                if side.how != "do":
                    self.close_connection = True
                    return
                self._send(200, side.answer if side.answer is not None else b'{"ok": true, "result": "booked"}')

            def do_GET(self) -> None:
                key = self.headers["Idempotency-Key"]
                side.asked.append((self.command, key))
                found = b'{"ok": true, "result": "it is booked"}' if key in side.done else b"{}"
                self._send(side.look_up_status or (200 if key in side.done else 404), found)

            do_HEAD = do_GET  # noqa: N815 - the base class's name

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if 300 <= status < 400:
                    self.send_header("Location", side.url + "/elsewhere")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Request

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> ToolServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
