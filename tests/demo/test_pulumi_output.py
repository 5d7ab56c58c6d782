"""Pulumi's lines as a person sees them."""

from __future__ import annotations

from demo.pulumi_output import Trim

ROW = " ~  pulumi-python:dynamic/fly:BlueGreenFlyApp app "
UP = f"""\
Updating (demo):

@ updating....
    pulumi-python:dynamic/fly:BlueGreenFlyApp app  rollout of rooms (handoff): blue 1-aa → green 2-bb
{ROW}updating (0s) [diff: ~image]; rollout of rooms (handoff): blue 1-aa → green 2-bb
{ROW}updating (1s) [diff: ~image]; create-new: create machines, unrouted (green)
@ updating....
{ROW}updating (2s) [diff: ~image]; drain-old: cordon (blue): 2 in ams
{ROW}updated (2s) [diff: ~image]; drain-old: cordon (blue): 2 in ams
    pulumi:pulumi:Stack bluegreen-fly-demo
Diagnostics:
  pulumi-python:dynamic/fly:BlueGreenFlyApp (app):
    create-new: create machines, unrouted (green)

Outputs:
    release: "2-bb"

Resources:
    ~ 1 updated

Duration: 5s
""".splitlines()
PREVIEW = """\
Previewing update (demo):

@ previewing update.....
 ~  pulumi-python:dynamic/fly:BlueGreenFlyApp app update [diff: ~image]; rollout of rooms
Diagnostics:
  pulumi-python:dynamic/fly:BlueGreenFlyApp (app):
    rollout of rooms (handoff): blue 1-aa → green 2-bb
      create-new (within 5m)

Resources:
    ~ 1 to update
""".splitlines()


def feed(trim: Trim, lines: list[str]) -> list[str]:
    return [shown for shown in map(trim.feed, lines) if shown is not None]


def test_a_rollout_shows_each_of_its_lines_once() -> None:
    """Of an `up` the rollout's own lines stay, each once, with how long it has been going on."""
    assert feed(Trim("rows", "Duration"), UP) == [
        "    app diff  rollout of rooms (handoff): blue 1-aa → green 2-bb",
        " ~  app updating (1s)  create-new: create machines, unrouted (green)",
        " ~  app updating (2s)  drain-old: cordon (blue): 2 in ams",
        "Duration: 5s",
    ]


def test_a_preview_shows_the_plan() -> None:
    """Of a preview the plan stays, with its indentation."""
    assert feed(Trim("Diagnostics"), PREVIEW) == [
        "    rollout of rooms (handoff): blue 1-aa → green 2-bb",
        "      create-new (within 5m)",
    ]


def test_a_line_that_nobody_expected_is_shown_as_it_is() -> None:
    """What another version of Pulumi says is never lost."""
    assert feed(Trim("rows"), ["warning: the sky is falling", "    more of it"]) == [
        "warning: the sky is falling",
        "    more of it",
    ]


def test_diagnostics_are_kept_for_a_failure() -> None:
    """What an `up` hides while it goes well is there when it fails."""
    trim = Trim("rows")
    feed(trim, UP)
    assert "    create-new: create machines, unrouted (green)" in trim.diagnostics
    assert not any("release" in line for line in trim.diagnostics)
