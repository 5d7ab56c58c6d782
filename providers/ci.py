"""Whether this runs in CI, where nobody watches."""

from __future__ import annotations

import os


def in_ci() -> bool:
    """Every CI of note sets ``CI``."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
