"""S3 on loopback with one empty bucket: moto's server, until SIGTERM. Prints nothing; writes a ready file."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import socket
import sys
import threading
from pathlib import Path

import boto3
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from demo.local.one_at_a_time import OneAtATime
from demo.local.uplink import Uplink

HOST = "127.0.0.1"
ENDS = {signal.SIGTERM, signal.SIGINT}


def main() -> int:
    """Serve until SIGTERM or SIGINT; exit code 2 when the port is taken."""
    parser = argparse.ArgumentParser(prog="demo.local.s3", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--uplink", type=int, required=True, help="bytes a second in which bodies arrive")
    parser.add_argument("--ready-file", type=Path, required=True)
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # before there are threads: they inherit it
    try:
        listener = socket.create_server((HOST, options.port), backlog=512)
    except OSError as error:
        print(f"local S3: {error.strerror}", file=sys.stderr)
        return 2
    # What it accepts inherits this: an answer in two segments would wait 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        serve(make(listener, options.uplink), options.bucket, options.ready_file)
    return 0


def serve(server: BaseWSGIServer, bucket: str, ready_file: Path) -> None:
    """Serve until SIGTERM or SIGINT, which the caller has blocked."""
    url = f"http://{HOST}:{server.port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket=bucket)
    announce(ready_file, url)
    signal.sigwait(ENDS)


def make(listener: socket.socket, uplink: int) -> BaseWSGIServer:
    """moto's server over a socket that listens. moto's own class binds in a thread and hangs when it cannot (5.2.5)."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    host, port = listener.getsockname()
    s3 = Uplink(OneAtATime(), uplink)
    return make_server(
        host, port, s3, threaded=True, request_handler=MotoRequestHandler, fd=listener.fileno()
    )


def announce(ready_file: Path, url: str) -> None:
    """Write `{"s3": url}` in one move, so that a reader finds all of it or nothing."""
    partial = ready_file.with_suffix(".part")
    partial.write_text(json.dumps({"s3": url}) + "\n", encoding="utf-8")
    partial.replace(ready_file)


if __name__ == "__main__":
    sys.exit(main())
