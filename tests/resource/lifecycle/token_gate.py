"""The simulator's API behind another token, which can be rotated while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from demo.local import CREDENTIALS

PASSED_ON = ("content-type", "fly-machine-lease-nonce")
HANDED_BACK = ("content-type", "fly-request-id", "retry-after")


@dataclass
class TokenGate:
    """``token``: the only one that is accepted now."""

    url: str
    token: str


@contextmanager
def token_gate(api_url: str, token: str) -> Iterator[TokenGate]:
    """Accept ``token`` in place of the simulator's own, for as long as the block takes."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("authorization") != f"Bearer {gate.token}":
                return self.reply(401, {}, b'{"error": "unauthorized"}')
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            headers["authorization"] = f"Bearer {CREDENTIALS['FLY_API_TOKEN']}"
            told = behind.request(self.command, api_url + self.path, content=body, headers=headers)
            return self.reply(
                told.status_code, {n: told.headers[n] for n in HANDED_BACK if n in told.headers}, told.content
            )

        def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what is asked is in the simulator's history."""

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    with (
        httpx.Client(trust_env=False, timeout=90) as behind,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        gate = TokenGate(f"http://127.0.0.1:{server.server_port}", token)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield gate
        finally:
            server.shutdown()
