"""Players through drains, resumes and handovers of the state; the audit says what became of their edits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from examples.players import Audit, Log, Players, audit, read_rooms
from tests.examples.machines import DEADLINE, Bucket, launch
from tests.examples.relay import Relay

HOST = "rooms.fly.dev"
RARELY = "3600"
BLUE, GREEN = "1-aaaaaaaaaa", "2-bbbbbbbbbb"
T = TypeVar("T")


async def aside(blocking: Callable[[], T]) -> T:
    """Do it in a thread; the players play on meanwhile."""
    return await anyio.to_thread.run_sync(blocking)


def crowd(url: str) -> Players:
    """A few quick players."""
    return Players(url, HOST, 8, 3, edits_per_second=50)


async def play_on(players: Players) -> None:
    """Wait until everybody is in, and has edited."""
    before = players.counters.acked
    await players.reach(lambda now: now.connected == 8 and now.acked >= before + 50, DEADLINE)


async def judge(players: Players, log: Log) -> Audit:
    """The audit of what the rooms hold now."""
    return audit(log, await read_rooms(players.url, HOST, players.rooms))


@pytest.mark.anyio
async def test_a_drain_by_request_hands_everything_over(bucket: Bucket, port: int) -> None:
    """Drained, recorded, stopped; green refuses until it owns the state, and no acknowledged edit is missing."""
    bucket.hand_over(1, BLUE)
    url = f"http://127.0.0.1:{port}"
    with launch("blue", bucket=bucket, port=port, fenced=True, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        await aside(lambda: blue.url)
        async with crowd(url) as players:
            await play_on(players)
            await aside(blue.drain)
            await aside(blue.until_saved)
            assert await aside(blue.stop) == 0
            with launch("green", release=GREEN, bucket=bucket, port=port, fenced=True) as green:
                await aside(lambda: green.event("rooms refused"))
                acked = players.counters.acked
                bucket.hand_over(2, GREEN)
                await play_on(players)
                log = await players.stop()
                result = await judge(players, log)
    assert result.passed
    assert result.acknowledged > acked
    assert {ack.release for ack in log.acks} == {BLUE, GREEN}
    assert 1012 in {session.code for session in log.sessions}


@pytest.mark.anyio
async def test_a_drain_that_is_taken_back_loses_nothing(relayed: Bucket, relay: Relay) -> None:
    """Three times S3 is away, the drain fails, and blue goes on with its memory, which no checkpoint has saved."""
    with launch("blue", bucket=relayed, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        async with crowd(await aside(lambda: blue.url)) as players:
            for round_ in range(3):
                await play_on(players)
                relay.cut()
                await aside(partial(blue.drain, f"d{round_}"))
                await aside(lambda: blue.until(lambda told: "error" in told))
                await aside(blue.resume)
                relay.restore()
            await play_on(players)
            log = await players.stop()
            result = await judge(players, log)
        assert relayed.keys("manifests/") == []
        assert await aside(blue.stop) == 0
    assert result.passed
    assert result.acknowledged >= 200
    assert {ack.room: len(relayed.edits(ack.room)) for ack in log.acks} == {
        room: len([ack for ack in log.acks if ack.room == room]) for room in players.rooms
    }


@pytest.mark.anyio
@pytest.mark.parametrize("fence", ["on", "off"])
async def test_two_releases_over_one_bucket(bucket: Bucket, fence: str) -> None:
    """With the fence only the owner of the state takes edits; without it the audit finds two owners."""
    bucket.hand_over(1, BLUE)
    with (
        launch("blue", bucket=bucket, fenced=True, ROOMS_FENCE=fence) as blue,
        launch("green", release=GREEN, bucket=bucket, fenced=True, ROOMS_FENCE=fence) as green,
    ):
        async with (
            crowd(await aside(lambda: blue.url)) as old,
            crowd(await aside(lambda: green.url)) as new,
        ):
            await play_on(old)
            if fence == "on":
                await aside(lambda: green.event("rooms refused"))
            else:
                await play_on(new)
            await play_on(old)
            logs = [await old.stop(), await new.stop(within=0.1)]
        result = await judge(old, merge(*logs))
        owners = {ack.machine_id for log in logs for ack in log.acks}
    if fence == "on":
        assert owners == {"blue"}
        assert result.passed
    else:
        assert owners == {"blue", "green"}
        assert {proof.room for proof in result.two_owners} == set(old.rooms)
        assert {ack.machine_id for ack in result.lost} == {"green"}


def merge(one: Log, other: Log) -> Log:
    """The log of both crowds."""
    return Log(
        acks=[*one.acks, *other.acks],
        sessions=[*one.sessions, *other.sessions],
        unacked=[*one.unacked, *other.unacked],
        stopped=max(one.stopped, other.stopped),
    )


@pytest.mark.anyio
async def test_who_is_refused_tries_again() -> None:
    """A 503 sends a player, or whoever reads a room, back to try again, until it is answered."""
    knocks: list[str] = []
    let_in = asyncio.Event()

    async def answer(socket: ServerConnection, request: Request) -> Response | None:
        knocks.append(request.path)
        if len(knocks) % 4:
            return socket.respond(503, "not now")
        return None if "Upgrade" in request.headers else socket.respond(200, '{"edits": [{"edit": "e1"}]}')

    async def greet(socket: ServerConnection) -> None:
        await socket.send('{"machine_id": "m1", "version": "v1"}')
        let_in.set()
        await socket.wait_closed()

    async with serve(greet, "127.0.0.1", 0, process_request=answer) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Players(url, HOST, 1, 1), asyncio.timeout(DEADLINE):
            await let_in.wait()
        assert len(knocks) == 4
        assert await read_rooms(url, HOST, ["lobby"]) == {"lobby": ["e1"]}
        assert len(knocks) == 8
