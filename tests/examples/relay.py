"""A TCP relay in front of S3 that can be cut, and that can lose a request or its answer."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Self
from urllib.parse import urlsplit


class Relay:
    """Forwards to `target` ("http://host:port") from a port of its own, which stays the same when cut."""

    def __init__(self, target: str) -> None:
        url = urlsplit(target)
        self._target = (url.hostname or "", url.port or 0)
        self._open: set[socket.socket] = set()
        self._lost: bytes | None = None
        self._undelivered: bytes | None = None
        self._up = True
        self._server = _Server(("127.0.0.1", 0), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        """Start forwarding."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything and close the port."""
        self.cut()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def cut(self) -> None:
        """Close every connection, and each new one at once."""
        self._up = False
        for side in list(self._open):
            _shut(side)

    def restore(self) -> None:
        """Forward again."""
        self._up = True

    def lose_answer_to(self, request: bytes) -> None:
        """Deliver the next request that contains these bytes, and hang up when its answer comes."""
        self._lost = request

    def lose(self, request: bytes) -> None:
        """Hang up when the next request that contains these bytes comes, and deliver nothing of it."""
        self._undelivered = request

    @property
    def lost_all(self) -> bool:
        """Whether everything that was to be lost is lost."""
        return self._lost is None and self._undelivered is None

    def forward(self, client: socket.socket) -> None:
        """Serve one connection until either side closes it."""
        if not self._up:
            return
        lost = threading.Event()
        with socket.create_connection(self._target) as server:
            self._open |= {client, server}
            answers = threading.Thread(target=self._pass_answers, args=(server, client, lost))
            answers.start()
            self._pass_requests(client, server, lost)
            answers.join()
            self._open -= {client, server}

    def _pass_requests(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):  # cut
            while data := client.recv(65536):
                if self._undelivered and self._undelivered in data:
                    self._undelivered = None
                    break
                if self._lost and self._lost in data:
                    self._lost = None
                    lost.set()
                server.sendall(data)
        _shut(server)

    def _pass_answers(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):  # cut
            while data := server.recv(65536):
                # boto3 sends a body only after "100 Continue": the request has not happened yet.
                if lost.is_set() and not data.startswith(b"HTTP/1.1 100"):
                    break
                client.sendall(data)
        _shut(client)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False

    def __init__(self, address: tuple[str, int], relay: Relay) -> None:
        self.relay = relay
        super().__init__(address, _Handler)


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.server.relay.forward(self.request)


def _shut(side: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed by the other side before
        side.shutdown(socket.SHUT_RDWR)
