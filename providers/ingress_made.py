"""What an ingress resource made of an app, and so gives back: its own record, and the one on the app's machines.

Pulumi's state has it by resource. One that is renamed without an alias begins with an empty record, and its app, its
addresses and its certificates look like anybody's: Fly has no place for a note on any of them. On machines it has: so
the deployment writes the record on those that it creates, as it does with who created the app. It is written there
alone: writing metadata to a machine that serves may reset its check reports.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_APP = "app"


@dataclass
class Made:
    """``app``: whether the app itself was created here. It grows and shrinks with each call that has succeeded."""

    app: bool = False
    ips: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)

    @classmethod
    def of_state(cls, props: Mapping[str, Any]) -> Made:
        """As the outputs of an earlier run have it."""
        ips, certificates = props.get("own_ips") or (), props.get("own_certificates") or ()
        return cls(bool(props.get("app_created")), [*ips], [*certificates])

    @property
    def outputs(self) -> dict[str, Any]:
        """As Pulumi's state keeps it."""
        return {
            "app_created": self.app,
            "own_ips": [*self.ips],
            "own_certificates": [*self.certificates],
        }

    def words(self) -> list[str]:
        """``app``, addresses, hostnames: a hostname has a dot, so none of them is taken for another."""
        return [*([_APP] if self.app else []), *self.ips, *self.certificates]

    @property
    def text(self) -> str:
        """``"app 203.0.113.1 play.example.com"``, as metadata holds it; ``""`` for nothing."""
        return " ".join(self.words())

    @classmethod
    def parse(cls, text: str) -> Made:
        """Whatever somebody may have written."""
        words = text.split()
        ips = [word for word in words if _is_address(word)]
        hosts = [word for word in words if "." in word and word not in ips]
        return cls(_APP in words, ips, hosts)


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
