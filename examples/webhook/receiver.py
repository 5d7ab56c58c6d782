"""Check a message as a receiver has to: signed with the secret, and not an old one that somebody sends again."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

OLDEST_S = 300


def accept(headers: Mapping[str, str], body: bytes, secret: str) -> dict[str, Any]:
    """The message. ``body``: the bytes as they came; names of headers in lower case. Raises ``ValueError``."""
    timestamp = headers["bluegreen-timestamp"]
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"v1={signed}", headers["bluegreen-signature"]):
        raise ValueError("not signed with this secret")
    if abs(time.time() - int(timestamp)) > OLDEST_S:
        raise ValueError("older than five minutes")
    message: dict[str, Any] = json.loads(body)
    return message
