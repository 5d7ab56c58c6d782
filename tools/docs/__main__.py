"""`python -m tools.docs [--check]`: write the generated documentation, or say what is out of date (exit code 1)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docs import configuration, lifecycle

DOCS = Path(__file__).resolve().parents[2] / "docs"


def outdated() -> Iterator[tuple[Path, str]]:
    """Each file that is not what the code says, with what it should be."""
    for name, made in (("configuration.md", configuration.page), ("lifecycle.md", lifecycle.page)):
        path = DOCS / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if (wanted := made(before)) != before:
            yield path, wanted


def main(argv: list[str]) -> int:
    """Write or check."""
    found = list(outdated())
    for path, wanted in found:
        if "--check" in argv:
            print(f"docs/{path.name} is out of date: make docs")
        else:
            path.write_text(wanted, encoding="utf-8")
            print(f"docs/{path.name} written")
    return int(bool(found) and "--check" in argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
