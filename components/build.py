"""The image, built and pushed by pulumi-command when its source changes, and known by the digest that was pushed."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

import pulumi
from pathspec import PathSpec
from pulumi import Output, ResourceOptions
from pulumi_command import local

from components.schema import Build

SCRIPT = """\
set -eu
digest() { docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$BLUEGREEN_IMAGE"; }
if ! pushed=$(digest 2>/dev/null); then
  docker buildx build --push --platform "$BLUEGREEN_PLATFORM" \\
    --file "$BLUEGREEN_DOCKERFILE" --tag "$BLUEGREEN_IMAGE" . >&2
  pushed=$(digest)
fi
printf '%s@%s' "${BLUEGREEN_IMAGE%:*}" "$pushed"
"""
"""Nothing of the configuration is in it: a shell gets each value as a variable, quoted.

The tag is the source's hash, so a source that was pushed already, by whomever, is not built again: a second build of
the same source may have another digest, and another digest is a rollout.
"""


def build_image(name: str, build: Build, opts: ResourceOptions) -> Output[str]:
    """The image, pinned: ``registry.fly.io/my-game@sha256:…``. Unknown in a preview that will build it.

    Raises ``pulumi.RunError`` where there is no Dockerfile.
    """
    source = source_hash(build)
    command = local.Command(
        f"{name}-image",
        create=SCRIPT,
        dir=build.context,
        environment={
            "BLUEGREEN_IMAGE": f"{build.image}:src-{source[:16]}",
            "BLUEGREEN_DOCKERFILE": build.dockerfile,
            "BLUEGREEN_PLATFORM": build.platform,
        },
        triggers=[source],
        logging=local.Logging.STDERR,
        opts=opts,
    )
    return command.stdout.apply(_pinned)


def source_hash(build: Build) -> str:
    """SHA-256 over all that Docker would send, by ``.dockerignore``: paths, contents, links, who may execute; no times.

    The same on every machine with the same checkout, so that a laptop and CI plan the same.
    """
    root = Path(build.context)
    if not (root / build.dockerfile).is_file():
        raise pulumi.RunError(f"build: there is no {root / build.dockerfile}")
    whole = hashlib.sha256(f"{build.dockerfile}\0{build.platform}\0".encode())
    for path in sorted({build.dockerfile, *_sent(root, _ignored(root, build.dockerfile))}):
        for part in _described(root / path):
            whole.update(f"{path}\0{part}\0".encode())
    return whole.hexdigest()


def _ignored(root: Path, dockerfile: str) -> list[str]:
    """The patterns of the Dockerfile's own ignore file, or of the context's, as Git would write them.

    Docker's are all relative to the context: Git's are with a slash before them. In both the last that matches counts.
    Docker's match what is below a folder, too: pathspec's ``/*`` does not.
    """
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        if (root / name).is_file():
            lines = map(str.strip, (root / name).read_text(encoding="utf-8").splitlines())
            patterns = [_as_git(line) for line in lines if line and not line.startswith("#")]
            return [one for pattern in patterns for one in (pattern, f"{pattern}/**") if pattern]
    return []


def _as_git(line: str) -> str:
    pattern = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
    if pattern == ".":  # Docker ignores it
        return ""
    return f"{'!' if line.startswith('!') else ''}/{pattern}"


def _sent(root: Path, ignored: list[str]) -> Iterator[str]:
    """What Docker sends, by its path below ``root``. A folder may hold what an exception takes back in."""
    spec = PathSpec.from_lines("gitignore", ignored)
    exceptions = any(pattern.startswith("!") for pattern in ignored)
    for folder, folders, files in os.walk(root):
        below = Path(folder).relative_to(root)
        paths = {name: (below / name).as_posix() for name in (*folders, *files)}
        yield from (path for path in paths.values() if not spec.match_file(path))
        if not exceptions:
            folders[:] = [name for name in folders if not spec.match_file(paths[name])]


def _described(path: Path) -> Iterator[str]:
    if path.is_symlink():
        yield f"link {path.readlink()}"
    elif path.is_file():
        yield f"{'x' if os.access(path, os.X_OK) else '-'} {_digest(path)}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pinned(said: str) -> str:
    image = said.strip()
    if "@sha256:" not in image:
        raise pulumi.RunError(f"build: the registry named no digest: {image[:200]}")
    return image
