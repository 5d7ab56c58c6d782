"""What of a stack's file must not be plain text. Pure.

Two keys are secret by what they are for. Everywhere else a header that HTTP has for credentials is secret, and so is a
URL with a password. Any other header, and the ``env`` of a command, may be either (``Accept``, ``LEVEL: fast``): they
are hidden in all that is printed, and whether they are secret is for their owner to say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import httpx

SECRET_KEYS = {"secret_env": "secret_env.NAME", "notify": "notify.secret"}
"""The keys that are secrets as a whole, each with the path of one."""
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


def plain_secrets(values: Mapping[str, Any], encrypted: Collection[str]) -> Iterator[tuple[str, str]]:
    """Where a secret is plain text, with the path that encrypts it; no value. ``encrypted``: keys that hold a secret.

    Pulumi tells only of a key as a whole that it holds a secret, so plain text beside an encrypted value is not seen.
    """
    for key, value in values.items():
        if key in encrypted or not value:
            continue
        if key in SECRET_KEYS:
            yield key, SECRET_KEYS[key]
        else:
            yield from ((path, _to_be_set(path)) for path in _credentials(key, value))


def _to_be_set(path: str) -> str:
    """The app's ``env`` is visible in Fly's API, encrypted here or not."""
    return f"secret_{path}" if path.startswith("env.") else path


def _credentials(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        header = path.rpartition(".headers.")[2].lower()
        if header in _CREDENTIALS or _has_password(value):
            yield path
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _credentials(f"{path}.{name}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _credentials(f"{path}[{number}]", item)


def _has_password(text: str) -> bool:
    try:
        return bool(httpx.URL(text).password)
    except httpx.InvalidURL:
        return False
