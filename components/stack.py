"""The stack's file as the component's arguments: read, checked as one schema, and refused with messages that help."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from pulumi.runtime import config as given_by_the_engine

from components.args import BlueGreenFlyAppArgs
from components.schema import EXAMPLES, StackConfig
from components.secrets import SECRET_KEYS, plain_secrets
from providers import inputs


def read_stack() -> BlueGreenFlyAppArgs:
    """The arguments that the stack's file gives. Raises ``pulumi.RunError`` with every fault, its key, and an example.

    A key that holds a Pulumi secret is a secret as a whole.
    """
    prefix = f"{pulumi.get_project()}:"
    given = {key: text for key, text in given_by_the_engine.CONFIG.get().items() if key.startswith(prefix)}
    values = {key.removeprefix(prefix): plain(text) for key, text in given.items() if text != ""}
    secret = {key.removeprefix(prefix) for key in given if given_by_the_engine.is_config_secret(key)}
    if faults := list(stack_faults(values, secret)):
        raise pulumi.RunError("\n".join([f"stack {pulumi.get_stack()}:", *(f"  - {it}" for it in faults)]))
    return BlueGreenFlyAppArgs(**{key: _hidden(value, key in secret) for key, value in values.items()})


def plain(text: str) -> Any:
    """A configured value: Pulumi gives structured ones and booleans as JSON, all others as they are written."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list | bool) else text


def stack_faults(values: Mapping[str, Any], secret: set[str]) -> Iterator[str]:
    """What is wrong with a stack's values; ``secret`` are the keys that Pulumi encrypts."""
    for key in sorted(values.keys() - StackConfig.model_fields.keys()):
        near = difflib.get_close_matches(key, StackConfig.model_fields, n=1)
        yield f"{key}: there is no such key{f'; did you mean {near[0]}?' if near else ''}"
    for key, path in plain_secrets(values, secret):
        yield f"{key}: is plain text; set each with `{_set_secret(path)}`"
    for fault in inputs.faults(values, StackConfig, _EXAMPLES):
        is_secret = fault.key.partition(".")[0] in SECRET_KEYS
        yield f"{fault.reason}; set it with `{_set_secret(fault.key)}`" if is_secret else fault.reason


_EXAMPLES = {key: example for key, example in EXAMPLES.items() if key not in SECRET_KEYS}
"""A secret that is shown would be plain text."""


def _set_secret(path: str) -> str:
    return f"pulumi config set --secret --path {shlex.quote(path)}"


def _hidden(value: Any, secret: bool) -> Any:
    return pulumi.Output.secret(value) if secret else value
