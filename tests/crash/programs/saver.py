"""A small stateful app for machines. Its own few lines of HTTP, so that it starts in a fraction of a tenth of a second.

Takes edits over HTTP into memory (POST /edits), and saves them to S3 when it is told to end, or to drain; it accepts
none from then on. /version and /health as every app has them, /drain (on a private port) in the words of
docs/handover.md, but answered when all is saved. Its state it also tells a test that asks for it (SAVER_TELLS).
"""

import json
import os
import signal
import socket
import threading
import time
from types import FrameType

ENV = os.environ
MACHINE, RELEASE = ENV["FLY_MACHINE_ID"], ENV.get("BLUEGREEN_RELEASE", "")
BUCKET, PREFIX = ENV.get("BLUEGREEN_STATE_BUCKET", ""), ENV.get("BLUEGREEN_STATE_PREFIX", "")
S3 = ENV.get("AWS_ENDPOINT_URL_S3", "").removeprefix("http://")
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=local/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)
"""No signature, but moto lets nobody overwrite a key without one, and looks no closer."""
STARTED_AT = time.time()
REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}
WHO = {"machine_id": MACHINE, "release": RELEASE, "version": ENV.get("ROOMS_VERSION", "")}
lock = threading.RLock()
edits: list[str] = []
status = {"state": "serving", "drain": None, "done": 0, "total": 1}


def read(connection: socket.socket) -> tuple[str, dict[str, str], bytes]:
    """One message: its first line, its headers, its body. Raises ``OSError`` when it ends too early."""
    with connection.makefile("rb") as stream:
        first = stream.readline().decode().rstrip()
        lines = iter(lambda: stream.readline().decode().rstrip(), "")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = stream.read(int(headers.get("content-length", "0")))
    if not first:
        raise ConnectionError("closed")
    return first, headers, body


def message(first: str, body: bytes) -> bytes:
    """One message, after which the connection ends."""
    headers = (f"host: {S3}", "connection: close", f"authorization: {SIGNED}", f"content-length: {len(body)}")
    return "\r\n".join((first, *headers, "", "")).encode() + body


def put(path: str, body: bytes) -> str:
    """One PUT to S3: the ETag that it answers."""
    host, _, port = S3.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(message(f"PUT {path} HTTP/1.1", body))
        first, headers, _ = read(connection)
    if " 200 " not in first:
        raise OSError(f"{path}: {first}")
    return headers.get("etag", "")


def turn(state: str, drain: str | None) -> None:
    """Serve, or accept nothing any more."""
    with lock:
        status.update(state=state, drain=drain, done=int(state == "saved"))
        if "SAVER_TELLS" in ENV:
            put(f"/told/{MACHINE}/{state}", b"")


def save(drain: str | None) -> None:
    """What was accepted, then the manifest that says so; nothing without a state store."""
    if not BUCKET:
        return
    key = f"{PREFIX}edits/{MACHINE}/{ENV['FLY_MACHINE_VERSION']}-{time.time_ns()}.json"
    content = json.dumps(edits).encode()
    etag = put(f"/{BUCKET}/{key}", content)
    manifest = {
        "version": 1,
        "release": RELEASE,
        "machine_id": MACHINE,
        "instance_id": ENV["FLY_MACHINE_VERSION"],
        "started_at": STARTED_AT,
        "saved_at": time.time(),
        "drain": drain,
        "objects": [{"key": key, "etag": etag, "bytes": len(content)}],
        "counts": {"rooms": 1},
    }
    put(f"/{BUCKET}/{PREFIX}manifests/{RELEASE}/{MACHINE}.json", json.dumps(manifest).encode())


def drain(name: str | None) -> None:
    """Quiesce and save; once for each drain."""
    with lock:
        if status["state"] != "saved" or status["drain"] != name:
            turn("draining", name)
            save(name)
            turn("saved", name)


def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
    """What a request gets, while nothing else changes the state."""
    if method == "POST" and path == "/drain":
        drain(json.loads(body)["drain"])
    elif method == "DELETE":
        turn("serving", None)
    elif method == "POST":
        if status["state"] != "serving":
            return 503, {}
        edits.append(json.loads(body))
    shown = {"/edits": edits, "/drain": status, "/version": WHO, "/health": {}}
    return (200, shown[path]) if path in shown else (404, {})


def converse(connection: socket.socket) -> None:
    """One request and its answer, on a thread of its own. An edit that was accepted is answered before any save."""
    with connection:
        try:
            first, _, body = read(connection)
            method, path, _ = first.split()
            with lock:
                code, content = answer(method, path, body)
                told = json.dumps(content).encode()
                connection.sendall(message(f"HTTP/1.1 {code} {REASONS[code]}", told))
        except ConnectionError:
            pass  # a health check only connects


def listen(port: int) -> None:
    """Take connections for ever."""
    with socket.create_server((ENV["FLY_PRIVATE_IP"], port), backlog=128) as listener:
        while True:
            threading.Thread(target=converse, args=listener.accept()[:1], daemon=True).start()


def end(number: int, frame: FrameType | None) -> None:
    with lock:
        if status["state"] != "saved":
            drain(None)
    os._exit(0)


def main() -> None:
    turn("serving", None)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=listen, args=(8081,), daemon=True).start()
    listen(8080)


if __name__ == "__main__":
    main()
