"""A server that says what a test wants S3 to say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """One answer. ``promised`` is its Content-Length, where that is not the length of the body.

    ``pieces``: more of the body, for as long as the client takes it.
    """

    status: int = 200
    body: str = ""
    promised: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    pieces: Callable[[], Iterator[bytes]] = lambda: iter(())

    @staticmethod
    def error(status: int, code: str, message: str = "") -> Answer:
        return Answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")


@dataclass
class Script:
    """What was asked ("PUT /bucket/key"), and the answers to come: the last one is repeated, None hangs up."""

    answers: list[Answer | None]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: str) -> Answer | None:
        with self.lock:
            self.asked.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def say(*answers: Answer | None) -> AbstractContextManager[Script]:
    """Serve these answers until the end of the block."""
    return serve(Script(list(answers)))


@contextmanager
def serve(script: Script) -> Iterator[Script]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two segments: the second waits 40 ms for an ACK

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = script.answer(f"{self.command} {self.path}")
            self.close_connection = answer is None or answer.promised is not None
            if answer is None:
                return
            body = answer.body.encode()
            self.send_response(answer.status)
            given = {name.lower() for name, _ in answer.headers}
            if "content-length" not in given:
                self.send_header("content-length", str(answer.promised or len(body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)
            with suppress(OSError):
                for piece in answer.pieces():
                    self.wfile.write(piece)

        do_GET = do_HEAD = do_PUT = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Nothing on the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True  # a client that keeps its connection keeps a thread
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
