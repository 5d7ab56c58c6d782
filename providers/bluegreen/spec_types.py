"""The types that a spec's keys have: each refuses what is wrong with a text that says what is wanted."""

from __future__ import annotations

import re
from typing import Annotated

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


def matching(pattern: str, what: str) -> AfterValidator:
    """A pattern whose refusal says what is wanted; ``what`` completes "… is not"."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f'"{value}" is not {what}')
        return value

    return AfterValidator(check)


AppName = Annotated[
    str,
    matching(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", "an app name: letters, digits and dashes, from a letter on"),
]
RegionCode = Annotated[str, matching(r"[a-z]{3}", "a region code: Fly's have three letters")]
ImageReference = Annotated[str, matching(r"\S+", "an image reference")]


def _url(value: str) -> str:
    try:
        url = httpx.URL(value)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f'"{value}" is not a URL with http:// or https://')
    return value


Url = Annotated[str, AfterValidator(_url)]


def _secret_url(value: SecretStr) -> SecretStr:
    """Without the URL in the message: a token may be part of it."""
    try:
        _url(value.get_secret_value())
    except ValueError:
        raise ValueError("not a URL with http:// or https://") from None
    return value


SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
UrlPath = Annotated[str, matching(r"/\S*", "a path: it starts with a slash")]
Bucket = Annotated[str, matching(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket name")]
Prefix = Annotated[str, matching(r"([^/].*/)?", "a key prefix: it is empty, or ends with a slash")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Part(BaseModel):
    """A part of the spec: frozen, without unknown keys; no error shows its input, which may be secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )
