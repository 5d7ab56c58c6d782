"""What changes between two specs, as people read it: values where nobody could mind, names everywhere else. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from providers.bluegreen.spec import Spec

_VALUES_SHOWN = frozenset(
    (
        "image",
        "regions",
        "guest",
        "cutover",
        "tunnel",
        "min_healthy",
        "approval",
        "approved_release",
        "bake",
        "keep_warm",
        "keep_failed_green",
        "deadlines",
        "stop_config",
        "checks",
    )
)
"""The others may hold what somebody meant to keep to themselves: a URL's token, a header, an argument."""
_NAMED = ("env", "secret_env")
_SHOWN_CHARACTERS = 60


def changes(old: Spec | None, new: Spec, known_later: Collection[str] = ()) -> list[str]:
    """One line for each thing that differs; empty for none. Without an ``old`` everything is new, and that is said of
    nothing. Of keys that are ``known_later``, ``new`` holds no value that counts.
    """
    told = [f"{key}: known only later" for key in known_later]
    if old is None:
        return told
    keys = [key for key in Spec.model_fields if getattr(old, key) != getattr(new, key)]
    known = [key for key in keys if key not in known_later]
    return told + [line for key in known for line in _lines(key, getattr(old, key), getattr(new, key))]


def _lines(key: str, old: Any, new: Any) -> Iterator[str]:
    if key in _NAMED:
        marks = ", ".join(_names(old, new))
        yield f"{key}: {marks}{' [secret]' if key == 'secret_env' else ''}"
    elif key not in _VALUES_SHOWN:
        yield f"{key}: changed"
    elif _parts(old) is None or _parts(new) is None:
        yield f"{key}: {_shown(old)} → {_shown(new)}"
    else:
        before, after = _parts(old) or {}, _parts(new) or {}
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                yield f"{key}.{name}: {_shown(before.get(name))} → {_shown(after.get(name))}"


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """``+NEW``, ``-GONE``, ``~CHANGED``: never a value."""
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"+{name}"
        elif name not in new:
            yield f"-{name}"
        elif old[name] != new[name]:
            yield f"~{name}"


def _parts(value: Any) -> Mapping[str, Any] | None:
    """The fields of a structured value; ``None`` for a plain one."""
    if hasattr(value, "model_dump"):
        return dict(value.model_dump(mode="json"))
    return value if isinstance(value, Mapping) else None


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if parts := _parts(value):
        value = ", ".join(f"{name} {part}" for name, part in parts.items() if part is not None)
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
