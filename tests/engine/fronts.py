"""What stands before a program of several apps: their public address, and a place where all of them meet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

DEADLINE_S = 60
PASSED_ON = ("fly-prefer-region", "fly-force-instance-id")


@contextmanager
def front(proxy_url: str) -> Iterator[str]:
    """A server that passes ``/<app>/<path>`` on to the proxy: a name below localhost resolves not everywhere."""

    class Front(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, app, path = self.path.split("/", 2)
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            answer = httpx.get(
                f"{proxy_url}/{path}", headers={"host": f"{app}.localhost", **headers}, trust_env=False
            )
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def meeting(count: int) -> Iterator[list[str]]:
    """A command that ends once ``count`` runs of it are there at the same time, and fails where they never are."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        thread = threading.Thread(target=_meet, args=(listener, count), daemon=True)
        thread.start()
        wait = f"import socket,sys; s=socket.create_connection({listener.getsockname()!r}); sys.exit(s.recv(1) != b'+')"
        yield ["python", "-c", wait]
        thread.join(DEADLINE_S)


def _meet(listener: socket.socket, count: int) -> None:
    """A connection that is closed without a word tells its end that the others did not come."""
    with ExitStack() as stack:
        try:
            there = [stack.enter_context(listener.accept()[0]) for _ in range(count)]
        except TimeoutError:
            return
        for connection in there:
            connection.sendall(b"+")
