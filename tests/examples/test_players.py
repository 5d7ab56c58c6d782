"""The load against real machines: players come back, and the audit sees what happened to their edits."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

import anyio
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from examples.players import Log, Players, RoomsUnread, audit, read_rooms
from tests.examples.machines import CHECKOUT, DEADLINE, Bucket, Machine, launch

HOST = "rooms.fly.dev"
RARELY = "3600"


def crowd(url: str, count: int = 8, rooms: int = 3) -> Players:
    """A few quick players."""
    return Players(url, HOST, count, rooms, edits_per_second=50)


async def wait_for_end(machine: Machine) -> int:
    """The machine's exit code; the players play on meanwhile."""
    return await anyio.to_thread.run_sync(machine.ended)


async def wait_until_listening(machine: Machine) -> str:
    """The machine's URL; the players play on meanwhile."""
    return await anyio.to_thread.run_sync(lambda: machine.url)


@pytest.mark.anyio
async def test_a_handoff_between_releases_keeps_every_promise(bucket: Bucket, port: int) -> None:
    """Blue is stopped under load, green takes over at its address, and no acknowledged edit is missing."""
    url = f"http://127.0.0.1:{port}"
    with launch("blue", bucket=bucket, port=port, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        await wait_until_listening(blue)
        async with crowd(url) as players:
            await players.reach(lambda now: now.connected == 8 and now.acked >= 50, DEADLINE)
            blue.send(signal.SIGTERM)
            assert await wait_for_end(blue) == 0
            with launch("green", release="2-b", version="v2", bucket=bucket, port=port) as green:
                await wait_until_listening(green)
                before = players.counters.acked
                await players.reach(lambda now: now.connected == 8 and now.acked >= before + 50, DEADLINE)
                log = await players.stop()
                result = audit(log, await read_rooms(url, HOST, players.rooms))
    assert result.passed
    assert result.acknowledged == result.found == players.counters.acked
    assert result.unacknowledged == 0
    assert result.gap.players == 8
    assert {ack.version for ack in log.acks} == {"v1", "v2"}
    assert 1012 in {session.code for session in log.sessions}
    assert players.counters.reconnects >= 8
    assert (players.counters.connected, players.counters.unacked) == (0, 0)


@pytest.mark.anyio
async def test_a_crash_without_a_checkpoint_is_seen_as_loss(bucket: Bucket, port: int) -> None:
    """Negative control: a machine that is killed instead of stopped loses edits, and the audit names them."""
    url = f"http://127.0.0.1:{port}"
    with launch("blue", bucket=bucket, port=port, ROOMS_CHECKPOINT_SECONDS=RARELY) as blue:
        await wait_until_listening(blue)
        async with crowd(url) as players:
            await players.reach(lambda now: now.acked >= 50, DEADLINE)
            blue.send(signal.SIGKILL)
            await wait_for_end(blue)
            with launch("blue", bucket=bucket, port=port) as restarted:
                await wait_until_listening(restarted)
                await players.reach(lambda now: now.connected == 8, DEADLINE)
                log = await players.stop()
                result = audit(log, await read_rooms(url, HOST, players.rooms))
    assert len(result.lost) >= 50
    assert not result.passed


@pytest.mark.anyio
async def test_two_clusters_at_once_are_seen() -> None:
    """Negative control: rooms that two machines serve at the same time have two owners and lost edits."""
    with launch("blue") as blue, launch("green", release="2-b", version="v2") as green:
        async with (
            crowd(await wait_until_listening(blue)) as old,
            crowd(await wait_until_listening(green)) as new,
        ):
            for players in (old, new):
                await players.reach(lambda now: now.connected == 8 and now.acked >= 50, DEADLINE)
            logs = [await old.stop(), await new.stop()]
        rooms = await read_rooms(green.url, HOST, new.rooms)
    result = audit(merge(*logs), rooms)
    assert {ack.machine_id for ack in result.lost} == {"blue"}
    assert {proof.room for proof in result.two_owners} == set(new.rooms)
    assert {proof.why for proof in result.two_owners} == {"same place", "after the new owner"}


def merge(one: Log, other: Log) -> Log:
    """The log of both crowds."""
    return Log(
        acks=[*one.acks, *other.acks],
        sessions=[*one.sessions, *other.sessions],
        unacked=[*one.unacked, *other.unacked],
        stopped=max(one.stopped, other.stopped),
    )


@pytest.mark.anyio
async def test_players_of_a_room_come_from_different_regions() -> None:
    """Each asks for the app by its host, and every room is asked for from every edge."""
    asked: set[tuple[str, str, str]] = set()

    async def refuse(socket: ServerConnection, request: Request) -> Response:
        room = request.path.partition("?")[0]
        asked.add((request.headers["Host"], room, request.headers["x-sim-edge"]))
        if len(asked) == 24:
            all_asked.set()
        return socket.respond(503, "nobody in")

    all_asked = asyncio.Event()
    async with serve(lambda socket: socket.close(), "127.0.0.1", 0, process_request=refuse) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Players(url, HOST, 24, 12, edges=["ams", "iad"]) as players, asyncio.timeout(DEADLINE):
            await all_asked.wait()
    assert asked == {(HOST, f"/rooms/{room}", edge) for room in players.rooms for edge in ("ams", "iad")}


@pytest.mark.anyio
async def test_players_come_and_go_by_themselves() -> None:
    """Nobody cuts them off and they reconnect all the same, so that new connections meet whoever is routed."""
    with launch("m1") as machine:
        url = await wait_until_listening(machine)
        async with Players(url, HOST, 4, 2, edits_per_second=50, seconds_per_visit=0.05) as players:
            await players.reach(lambda now: now.reconnects >= 20, DEADLINE)
            log = await players.stop()
        assert audit(log, await read_rooms(url, HOST, players.rooms)).passed
    assert {session.code for session in log.sessions} == {1000}


@pytest.mark.anyio
async def test_an_unacknowledged_edit_is_sent_again_under_the_same_id() -> None:
    """A connection that is cut before the acknowledgement makes the player repeat the edit, not replace it."""
    received: list[str] = []
    who = {"machine_id": "m1", "release": "1-a", "version": "v1"}

    async def lose_the_first(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"room": "room-01", "places": 0} | who))
        async for message in socket:
            received.append(json.loads(message)["edit"])
            if len(received) == 1:
                await socket.close(1012)
            else:
                await socket.send(json.dumps({"ack": received[-1], "place": 1, "room": "room-01"} | who))

    async with serve(lose_the_first, "127.0.0.1", 0) as server:
        players = crowd(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", count=1)
        async with players:
            await players.reach(lambda now: now.acked >= 1, DEADLINE)
            log = await players.stop()
    assert received[0] == received[1] == log.acks[0].edit
    assert (log.acks[0].attempts, log.acks[0].session) == (2, 2)
    assert log.acks[0].wanted < log.acks[0].sent < log.acks[0].acked


@pytest.mark.anyio
async def test_a_room_that_does_not_answer_is_not_empty(port: int) -> None:
    """Contents that cannot be read are an error, never a list without edits."""
    with pytest.raises(RoomsUnread, match="lobby"):
        await read_rooms(f"http://127.0.0.1:{port}", HOST, ["lobby"], within=0.1)


@pytest.mark.anyio
async def test_waiting_for_players_has_a_deadline(port: int) -> None:
    """A condition that is not met in time is an error."""
    async with crowd(f"http://127.0.0.1:{port}") as players:
        with pytest.raises(TimeoutError):
            await players.reach(lambda now: now.connected == 8, within=0.01)


def test_the_command_prints_the_verdict() -> None:
    """`python -m examples.players` shows its progress, ends at Ctrl-C, and exits 0 when all is well."""
    with launch("m1") as machine:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "examples.players",
                "--url",
                machine.url,
                "--seconds",
                "600",
                "--players",
                "4",
            ],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("4 connected")
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate(timeout=DEADLINE)
    verdict = json.loads(printed)
    assert process.returncode == 0
    assert verdict["passed"] is True
    assert verdict["acknowledged"] == verdict["found"] > 0
