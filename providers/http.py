"""The HTTP clients of a deployment: what all of them keep to, and the certificates that they share."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpx


@cache
def _trusted() -> ssl.SSLContext:
    """Read once: each client of its own would take some 20 ms, and an update has five (a tenth of its provider)."""
    return httpx.create_ssl_context(trust_env=False)


def client(**options: Any) -> httpx.AsyncClient:
    """A client that follows no redirect (a token must not travel) and takes nothing from its surroundings, such as a
    proxy or a ``.netrc``. ``options`` are httpx's.
    """
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, verify=_trusted(), **options)
