"""An app's secrets: set and listed by digest; their values go to its machines' programs only."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from simulator.clock import format_time
from simulator.model import App, Secret


def set_secrets(app: App, values: Mapping[str, str | None], now: float) -> None:
    """Set or, with null, remove; machines see it at their next start."""
    for name, value in values.items():
        if value is None:
            app.secrets.pop(name, None)
            continue
        known = app.secrets.get(name)
        # Salted by app and name, so that equal values do not show as equal.
        digest = sha256(f"{app.id}\0{name}\0{value}".encode()).hexdigest()[:16]
        app.secrets[name] = Secret(name, value, digest, known.created_at if known else now, now)
    app.secrets_version += 1


def show_secrets(app: App) -> list[dict[str, Any]]:
    """Names, digests and times."""
    return [
        {
            "name": secret.name,
            "digest": secret.digest,
            "created_at": format_time(secret.created_at),
            "updated_at": format_time(secret.updated_at),
        }
        for secret in sorted(app.secrets.values(), key=lambda secret: secret.name)
    ]
