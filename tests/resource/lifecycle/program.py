"""A user's program: one component, with the options that `told.json` names."""

import json
from pathlib import Path

import pulumi

from components import BlueGreenFlyApp, BlueGreenFlyAppArgs

told = json.loads(Path("told.json").read_text(encoding="utf-8"))
aliases = [pulumi.Alias(name=name) for name in told["options"].pop("aliases", [])]
options = pulumi.ResourceOptions(**told["options"], aliases=aliases)
app = BlueGreenFlyApp(told["name"], BlueGreenFlyAppArgs(**told["args"]), options)
for name in ("release", "serving", "machines", "drift", "phase"):
    pulumi.export(name, getattr(app, name))
