"""An app that answers as a test wants it to, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass
class App:
    """What came, and what is answered: a status, headers, and a body in pieces."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Callable[[Asked], Iterator[bytes]] = lambda asked: iter([b"{}"])

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.status, self.headers = status, headers
        self.body = lambda asked: iter([body])


@contextmanager
def serving(port: int = 0) -> Iterator[App]:
    """An app on ``port``, or a free one."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = Asked(self.command, self.path, self.headers, body)
            app.asked.append(asked)
            self.send_response(app.status)
            for name, value in app.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            try:
                for piece in app.body(asked):
                    self.wfile.write(piece)
            except ConnectionError:
                pass  # the reader has had enough

        do_GET = do_POST = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        app = App(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield app
        finally:
            server.shutdown()
            thread.join()
