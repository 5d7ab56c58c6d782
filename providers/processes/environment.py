"""What of the deployer's own environment the programs beside it get."""

from __future__ import annotations

import os
from collections.abc import Mapping

KEPT_BACK = ("FLY_API_TOKEN", "FLY_ACCESS_TOKEN", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG")
"""Prefixes. Pulumi gives its programs their decrypted config as ``PULUMI_CONFIG``; ``…_PASSPHRASE`` opens the state."""


def deployer_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The deployer's environment without what speaks for the deployer, and with ``extra``."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(KEPT_BACK)}
    return {**own, **extra}
