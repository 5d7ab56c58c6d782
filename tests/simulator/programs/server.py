"""A small program for machines: answers HTTP, and ends on a signal as its environment says.

`ON_STOP`: exit (default) | ignore. `EXIT_CODE`: of a requested end. `CRASH`: exits with this code at once.
SIGUSR1 and SIGUSR2 are told and nothing else.
GET /env shows the environment's names and the values that start with FLY_; GET /fail makes /health fail from then on.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

health = {"status": 200}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/fail":
            health["status"] = 503
        status = health["status"] if self.path == "/health" else 200
        body = json.dumps(dict(os.environ)).encode() if self.path == "/env" else b"{}"
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def end(number: int, frame: FrameType | None) -> None:
    print(f"got {signal.Signals(number).name}", flush=True)
    if os.environ.get("ON_STOP") != "ignore":
        os._exit(int(os.environ.get("EXIT_CODE", "0")))


def note(number: int, frame: FrameType | None) -> None:
    print(f"heard {signal.Signals(number).name}", flush=True)


def main() -> None:
    if "CRASH" in os.environ:
        sys.exit(int(os.environ["CRASH"]))
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, note)
    signal.signal(signal.SIGUSR2, note)
    server = ThreadingHTTPServer((os.environ["FLY_PRIVATE_IP"], 8080), Handler)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
