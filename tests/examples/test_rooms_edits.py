"""What players send and see, in v1 and in v2."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.rooms.room import Edit, Room, decode_state, encode_state
from examples.rooms.settings import Settings
from tests.examples.machines import CHECKOUT, Bucket, edit, launch, receive

names = st.text(min_size=1, max_size=5)


def test_a_resent_edit_keeps_its_place(bucket: Bucket) -> None:
    """An edit that is sent again is acknowledged with the place it has, by the next release, too."""
    with launch("blue", bucket=bucket) as blue, blue.join("lobby") as socket:
        assert [edit(socket, name)["place"] for name in ("a", "b", "a")] == [1, 2, 1]
        assert blue.stop() == 0
    with launch("green", release="2-bbbbbbbbbb", bucket=bucket) as green, green.join("lobby") as socket:
        assert [edit(socket, name)["place"] for name in ("b", "a", "c")] == [2, 1, 3]
        assert green.stop() == 0
    assert bucket.edits("lobby") == ["a", "b", "c"]


def test_an_acknowledgement_says_who_gave_it() -> None:
    """Edit, place, room, machine, release and version are in every acknowledgement."""
    with launch("m1", release="7-abc") as machine, machine.join("lobby") as socket:
        assert edit(socket, "e1") == {
            "ack": "e1",
            "place": 1,
            "room": "lobby",
            "machine_id": "m1",
            "release": "7-abc",
            "version": "v1",
        }


@pytest.mark.parametrize(("version", "extra"), [("v1", set()), ("v2", {"author", "colour"})])
def test_the_others_see_an_edit_once(version: str, extra: set[str]) -> None:
    """The others in the room get each new edit with its place; from v2 on with its author in a colour."""
    with (
        launch("m1", version=version) as machine,
        machine.join("lobby", "ada") as ada,
        machine.join("lobby", "bob") as bob,
    ):
        receive(bob, "places")
        for name in ("e1", "e1", "e2"):
            edit(ada, name)
        seen = [receive(bob, "edit"), receive(bob, "edit")]
    assert [(row["edit"], row["place"]) for row in seen] == [("e1", 1), ("e2", 2)]
    assert set(seen[0]) == {"edit", "place", "text"} | extra


def test_v1_keeps_what_v2_wrote(bucket: Bucket) -> None:
    """A rollback to v1 hides the authors and loses none of them."""
    for release, version in (("1-a", "v2"), ("2-b", "v1"), ("3-c", "v2")):
        with launch("m1", release=release, version=version, bucket=bucket) as machine:
            with machine.join("lobby", "ada") as socket:
                edit(socket, release)
            shown = machine.get("/rooms/lobby").json()["edits"]
            assert machine.stop() == 0
        assert [row.get("author") for row in shown] == {
            "1-a": ["ada"],
            "2-b": [None, None],
            "3-c": ["ada", None, "ada"],
        }[release]


def test_versions_greet_differently() -> None:
    """A person can see which version is running."""
    greetings: list[dict[str, Any]] = []
    for version in ("v1", "v2"):
        with launch("m1", version=version) as machine, machine.join("lobby") as socket:
            greetings.append(receive(socket, "places"))
            assert machine.get("/version").json() == {
                "version": version,
                "release": "1-aaaaaaaaaa",
                "machine_id": "m1",
                "region": "ams",
                "rooms": 1,
                "sockets": 1,
            }
    assert [greeting["version"] for greeting in greetings] == ["v1", "v2"]
    assert [("greeting" in greeting) for greeting in greetings] == [False, True]


def test_nonsense_is_refused_and_the_player_stays() -> None:
    """A message that is no edit gets an error and changes nothing."""
    nonsense = [
        "",
        "no json",
        "[]",
        "7",
        '{"edit": 1, "text": "x"}',
        '{"edit": "", "text": "x"}',
        '{"edit": "a"}',
    ]
    with launch("m1") as machine, machine.join("lobby") as socket:
        for message in [*nonsense, json.dumps({"edit": "x" * 129, "text": ""})]:
            socket.send(message)
            assert "error" in receive(socket, "error")
        socket.send(b'{"edit": "bytes", "text": "are fine"}')
        assert receive(socket, "ack")["place"] == 1


def test_unknown_paths_are_not_found() -> None:
    """A room's name is letters, digits, - and _; it can lead to no other key in S3."""
    paths = ["/", "/rooms/", "/rooms/a/b", "/rooms/%2e%2e", f"/rooms/{'x' * 65}", "/nothing"]
    with launch("m1") as machine:
        assert [machine.get(path).status_code for path in paths] == [404] * len(paths)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROOMS_VERSION", "two"),
        ("ROOMS_CHECKPOINT_SECONDS", "0"),
        ("ROOMS_CHECKPOINT_SECONDS", "soon"),
        ("ROOMS_STATE_FORMAT", "0"),
        ("ROOMS_FENCE", "no"),
        ("BLUEGREEN_CUTOVER", ""),
    ],
)
def test_a_wrong_environment_is_refused_by_name(name: str, value: str) -> None:
    """A variable that makes no sense is named, with what it must be."""
    with pytest.raises(ValueError, match=f"{name} is '{value}'; it must be"):
        Settings.from_env({name: value}, started_at=0.0)


def test_a_wrong_environment_ends_the_process() -> None:
    """The process ends with 2 and one line."""
    ended = subprocess.run(
        [sys.executable, "-m", "examples.rooms", "--port", "0"],
        cwd=CHECKOUT,
        env={"ROOMS_VERSION": "two"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1


def test_a_port_that_is_taken_ends_the_process() -> None:
    """The process ends with 2 and one line that names the address, for either of its ports."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for ports in (["--port", port, "--private-port", "0"], ["--port", "0", "--private-port", port]):
            ended = subprocess.run(
                [sys.executable, "-m", "examples.rooms", *ports],
                cwd=CHECKOUT,
                env={},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 2
            assert ended.stderr.startswith("cannot listen on 127.0.0.1: ")
            assert ended.stderr.count("\n") == 1


@given(st.lists(names))
def test_places_never_change(sent: list[str]) -> None:
    """However often edits are resent, each keeps its first place, and places have no gaps."""
    room = Room("lobby")
    places = [room.take(Edit(name, "text"))[0] for name in sent]
    assert [room.edits[place - 1].edit for place in places] == sent
    assert len(room.edits) == len(set(sent))


@given(st.lists(st.builds(Edit, names, st.text(max_size=5), st.none() | names)))
def test_state_is_read_as_it_was_written(edits: list[Edit]) -> None:
    """What is saved is what is loaded, of either version."""
    assert decode_state(encode_state("lobby", edits)) == edits


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["edits", "edit", "text", "x"]), inner),
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_unreadable_state_is_always_an_error(body: bytes) -> None:
    """Any bytes are either a room's state or a ValueError."""
    try:
        edits = decode_state(body)
    except ValueError:
        return
    assert all(isinstance(edit, Edit) for edit in edits)
