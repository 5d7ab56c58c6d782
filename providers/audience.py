"""Who hears of a deployment beside its console: its timeline, and the webhook. Nothing of it fails a deployment."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from providers.bluegreen.context import LINE_CAP
from providers.bluegreen.events import Event, Hear, Kind, all_of
from providers.bluegreen.spec import Spec
from providers.notify import webhook
from providers.session import scrubber_of, stores
from providers.timeline.keep import keep
from providers.timeline.record import Recorder
from providers.timeline.shelves import LOCAL, Bucket, Folder, Shelf

Say = Callable[[str], None]


@asynccontextmanager
async def audience(spec: Spec, hear: Hear) -> AsyncIterator[Hear]:
    """``hear``, and beside it all who listen to one deployment; ``hear`` gets what is to be said of them.

    What is left to send or to write is sent and written when the block ends, however it ends. To be entered before the
    deployment's context: when that is closed all leases are given back, and writing late keeps nobody waiting.
    """

    def say(text: str) -> None:
        hear(Event(Kind.NOTE, time.time(), text))

    recorder = Recorder(spec.app, partial(scrubber_of(spec).excerpt, most=LINE_CAP))
    async with webhook(spec.notify, spec.app, say) as tell:
        try:
            yield all_of(hear, recorder.hear, tell)
        finally:
            await _keep(recorder, spec, say)


async def _keep(recorder: Recorder, spec: Spec, say: Say) -> None:
    try:
        timeline = recorder.timeline()
        if timeline:
            say(f"timeline: {await keep(timeline, _shelves(spec))}")
    except Exception as error:  # noqa: BLE001 - a deployment has ended, whatever becomes of its picture
        say(f"timeline: not kept: {scrubber_of(spec).excerpt(str(error), LINE_CAP)}")


def shelf_of(spec: Spec, root: Path = LOCAL) -> Shelf:
    """Where an app's timelines are: beside its state, else in a folder below ``root``."""
    if spec.state_store is None:
        return Folder(spec.app, root)
    wanted = spec.state_store
    return Bucket(stores(spec)(wanted.bucket), wanted.bucket, wanted.prefix)


def _shelves(spec: Spec) -> list[Shelf]:
    """A store that does not take it leaves the folder."""
    return [shelf_of(spec), Folder(spec.app)] if spec.state_store else [shelf_of(spec)]
