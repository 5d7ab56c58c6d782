"""One app, deployed blue-green: the stack's configuration becomes one component, and its outputs the stack's."""

import pulumi

from components import BlueGreenFlyApp
from components.stack import read_stack

app = BlueGreenFlyApp("app", read_stack())

for name, value in app.outputs.items():
    if name != "machines":  # `python -m bluegreen status` shows them better
        pulumi.export(name, value)
