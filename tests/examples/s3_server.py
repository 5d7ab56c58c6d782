"""S3 on loopback, in a thread of the test process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from demo.local.one_at_a_time import OneAtATime

HOST = "127.0.0.1"


@contextmanager
def serve_s3() -> Iterator[str]:
    """The server's URL, until the end of the block."""
    server = make_server(HOST, 0, OneAtATime(), threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
