"""The command line: `python -m bluegreen status --stack prod`."""

from __future__ import annotations

import json
import sys
import webbrowser
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click
from botocore.exceptions import BotoCoreError

from bluegreen import explaining, looking, words
from bluegreen.target import BadTarget, Target, by_name, by_stack
from providers.audience import shelf_of
from providers.bluegreen.deploy import CannotLook
from providers.bluegreen.reasons import refused
from providers.planning import plan_document, plan_text
from providers.session import NoToken
from providers.timeline import page
from providers.timeline.keep import history as history_of
from providers.timeline.keep import read
from providers.timeline.model import Timeline
from providers.timeline.names import Entry
from providers.timeline.shelves import LOCAL, Shelf, ShelfError

UNFINISHED, ERROR = 1, 2
MOST = 20
T = TypeVar("T")


class _Failed(click.ClickException):
    """It could not be told, or not be done."""

    exit_code = ERROR


def _targeted(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every command has."""
    options = [
        click.option("--stack", help="A stack of this project: its file in the project's directory is read."),
        click.option(
            "--app", help="An app by its name, instead of a stack; FLY_API_TOKEN is all that is needed."
        ),
        click.option(
            "--project",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path(),
            help="The project's directory, where Pulumi.yaml is. Default: this one.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """What serves, what was deployed, and why the next `pulumi up` would do what. Changes nothing.

    Needs neither Pulumi's state nor its engine: it asks Fly (FLY_API_TOKEN) and the state store (AWS_…, as boto3
    reads them).

    Exit codes: 0, all is as it should be; 1, something is unfinished; 2, it could not be told.
    """


@main.command()
@_targeted
def status(stack: str | None, app: str | None, project: Path, as_json: bool) -> None:
    """What serves, what is unfinished, and every machine. Exit code 1 if anything is unfinished, or nothing serves."""
    found = _asked(looking.current, _target(stack, app, project))
    _print(found if as_json else words.of_status(found), as_json)
    sys.exit(UNFINISHED if found["unfinished"] or not found["serving"] else 0)


@main.command()
@_targeted
@click.option("-n", "most", type=click.IntRange(min=1), default=MOST, show_default=True, help="How many.")
def history(stack: str | None, app: str | None, project: Path, as_json: bool, most: int) -> None:
    """The latest deploys, newest first, from the state store; without one, those made from this directory."""
    shelf = _shelf(_target(stack, app, project), project)
    entries = _run(lambda: history_of(shelf, most))
    rows = [
        {"name": e.name, "at": e.at.isoformat(), "ending": e.ending, "release": e.release} for e in entries
    ]
    _print(rows if as_json else words.of_history(entries, shelf.where), as_json)


@main.command()
@_targeted
@click.argument("deploy", default="")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where the page is written.")
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
def timeline(
    stack: str | None,
    app: str | None,
    project: Path,
    as_json: bool,
    deploy: str,
    out: Path | None,
    show: bool,
) -> None:
    """Write the page of one deploy: the latest, or the one whose name or release begins with DEPLOY."""
    target = _target(stack, app, project)
    shelf = _shelf(target, project)
    name, found = _run(lambda: _one(shelf, deploy))
    if as_json:
        _print(found.model_dump(mode="json"), as_json)
        return
    path = out or project / LOCAL / target.spec.app / f"{name.removesuffix('.json')}.html"
    _write(path, page.render(found))
    click.echo(path)
    if show:
        webbrowser.open(path.resolve().as_uri())


@main.command()
@_targeted
@click.option("--destroy", is_flag=True, help="What `pulumi destroy` would do, in place of `pulumi up`.")
def explain(stack: str | None, app: str | None, project: Path, as_json: bool, destroy: bool) -> None:
    """What the next `pulumi up` would do, and why: what differs, reasons, plan. Exit code 1 if it would do anything."""
    target = _target(stack, app, project)
    if target.partial:
        raise _Failed("explain: what an app should be is in its stack's file: name it with --stack")
    found = _asked(explaining.explain_destroy if destroy else explaining.explain_up, target)
    document = plan_document(found.planned) | {"assumed": list(found.assumed)}
    _print(document if as_json else _explained(found, "destroy" if destroy else "up"), as_json)
    sys.exit(UNFINISHED if found.planned.steps or refused(found.planned.scene) else 0)


def _explained(found: explaining.Explained, command: str) -> Iterable[str]:
    """As a preview tells it, which has nothing to say where nothing is to be done."""
    planned = found.planned
    lines = plan_text(planned).splitlines()
    if not planned.steps and not refused(planned.scene):
        app = planned.scene.intent.spec.app
        lines[:1] = [f"{app}: `pulumi {command}` would change nothing"]
    yield from lines
    yield from (f"note: {line}" for line in found.assumed)


def _target(stack: str | None, app: str | None, project: Path) -> Target:
    if bool(stack) == bool(app):
        raise click.UsageError("name one of --stack and --app, e.g. --stack prod")
    try:
        return by_stack(project, stack) if stack else by_name(app or "")
    except BadTarget as error:
        raise _Failed(str(error)) from None


def _asked(question: Callable[[Target], Coroutine[Any, Any, T]], target: Target) -> T:
    return _run(lambda: question(target))


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with _told():
        return anyio.run(work)


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be asked is one message. boto3's own errors are about its configuration, such as a profile."""
    try:
        yield
    except (NoToken, CannotLook, ShelfError, BotoCoreError) as error:
        raise _Failed(str(error)) from None


def _shelf(target: Target, project: Path) -> Shelf:
    with _told():
        return shelf_of(target.spec, project / LOCAL)


async def _one(shelf: Shelf, wanted: str) -> tuple[str, Timeline]:
    """By the beginning of its name or of its release; the newest of those that match."""
    for entry in await history_of(shelf, sys.maxsize):
        if _matches(entry, wanted):
            return entry.name, await read(shelf, entry.name)
    which = f"that begins with {wanted}" if wanted else "at all"
    raise ShelfError(f"no deploy {which} is kept in {shelf.where}; `history` lists them")


def _matches(entry: Entry, wanted: str) -> bool:
    return entry.name.startswith(wanted) or entry.release.startswith(wanted)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _Failed(f"{path}: {error.strerror}") from None


def _print(found: Any, as_json: bool) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(found))


if __name__ == "__main__":
    main(prog_name="python -m bluegreen")
