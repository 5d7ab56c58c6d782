"""The catalogue of images: what a reference means on this machine."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class CatalogError(Exception):
    """The catalogue file cannot be used; the text says where and why."""


class Entry(BaseModel):
    """One image in the file: an argv, in which {python} and {private_ip} are filled in, and its environment."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    command: Annotated[list[str], Field(min_length=1)]
    env: dict[str, str] = {}


class File(BaseModel):
    """The whole catalogue file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    images: dict[str, Entry]


@dataclass(frozen=True)
class Image:
    """What a reference resolved to; `digest` is `sha256:…`, content only."""

    registry: str
    repository: str
    tag: str
    digest: str


def parse_reference(reference: str, digest: str) -> Image:
    """Split `registry/repository:tag@digest`; a missing tag is `latest`, a missing registry Docker Hub's."""
    name = reference.partition("@")[0]
    registry, slash, rest = name.partition("/")
    if not slash or not {".", ":"} & set(registry):
        registry, rest = "docker-hub-mirror.fly.io", name
    repository, _, tag = rest.partition(":")
    return Image(registry, repository, tag or "latest", digest)


def digest_of(content: object) -> str:
    """`sha256:` and the hash of the content's canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def find_reference(references: Mapping[str, str], wanted: str) -> str | None:
    """The catalogue's own reference for `wanted`, of {reference: digest}: by its name, or by repository and digest."""
    name, _, digest = wanted.partition("@")
    if not digest:
        return name if name in references else None
    repository = parse_reference(name, digest).repository
    matching = (known for known, held in references.items() if held == digest)
    return next((known for known in matching if parse_reference(known, "").repository == repository), None)


def load_catalog(path: Path) -> dict[str, Entry]:
    """Read the TOML file: `[images."registry.fly.io/app:v1"]` with `command` and, optionally, `env`."""
    try:
        return File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).images
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CatalogError(
            f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        ) from None
