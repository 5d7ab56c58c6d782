"""The commit point: of all who want to own the state one does, whatever is lost on the way."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from providers.bluegreen.model import Ownership, Release
from providers.gates.owners import OwnerRecord, OwnerTaken, latest_owner, owner_key, record_owner
from providers.gates.s3 import S3Store, open_store
from providers.gates.store import StateStore, StoreError, StoreRefused
from tests.examples.relay import Relay
from tests.s3.fixtures import REGION

BLUE, GREEN = Release(1, "3fa9c1d20e", "b1"), Release(2, "77ab01c2d3", "c1")
AT = 1_790_000_000.5


async def record(
    store: StateStore, number: int, release: Release, tell: Callable[[str], None] = print, **more: Any
) -> None:
    known = {"previous": None, "nonce": secrets.token_hex(8), "at": AT}
    record = OwnerRecord(number=number, release=str(release), **known | more)
    await record_owner(store, "p/", record, tell=tell)


def put(store: S3Store, key: str, content: object) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    store.client.put_object(Bucket=store.bucket, Key=key, Body=body)


def latest(store: StateStore) -> Ownership | None:
    return anyio.run(latest_owner, store, "p/")


class TestRecords:
    def test_nobody_owns_the_state_until_it_is_recorded(self, store: S3Store) -> None:
        """None is said only when S3 has listed that there is no record."""
        assert latest(store) is None
        anyio.run(record, store, 1, BLUE)
        assert latest(store) == Ownership(1, BLUE)

    def test_a_record_says_all_that_the_contract_says(self, store: S3Store) -> None:
        """Key and body are what an app reads too: number, release, the one before, nonce and time."""
        anyio.run(lambda: record(store, 3, GREEN, previous=str(BLUE), nonce="ab12"))
        content = anyio.run(store.read, "p/owners/0000000003.json")
        assert content is not None
        assert json.loads(content) == {
            "version": 1,
            "number": 3,
            "release": str(GREEN),
            "previous": str(BLUE),
            "nonce": "ab12",
            "at": AT,
        }

    def test_the_highest_number_counts(self, store: S3Store) -> None:
        """Whatever was recorded last in time, and beyond where digits sort differently."""
        for number, release in ((9, BLUE), (11, GREEN), (10, BLUE)):
            anyio.run(record, store, number, release)
        assert latest(store) == Ownership(11, GREEN)

    def test_what_else_is_under_owners_is_not_a_record(self, store: S3Store) -> None:
        """An app's own objects there, and names that only look like ours, are neither read nor listed as owners."""
        anyio.run(record, store, 1, BLUE)
        for name in (
            "2-77ab01c2d3/hall.json",
            "99.json",
            "00000000022.json",
            "0000000002.json.bak",
            "٠٠٠٠٠٠٠٠٠٢.json",
        ):
            put(store, f"p/owners/{name}", b"not ours")
        put(store, "q/owners/0000000009.json", b"of another prefix")
        assert latest(store) == Ownership(1, BLUE)

    @pytest.mark.parametrize("number", [0, -1, 1_000_000_000])
    def test_a_number_that_no_record_can_have_is_refused(self, number: int) -> None:
        """Keys sort as numbers do only as long as they have ten digits and begin with a zero."""
        with pytest.raises(ValueError, match=str(number)):
            owner_key("p/", number)


class TestUnreadable:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"\xff\xfe",
            {},
            {"release": "green\x1b[31m"},
            {"number": 3},
            {"number": "2"},
            {"version": 2},
            {"nonce": None},
            {"at": "now"},
        ],
        ids=str,
    )
    def test_a_record_that_says_nothing_is_not_nobody(self, store: S3Store, content: Any) -> None:
        """Blue would be taken for the owner where green is: unreadable is an error that names the key."""
        good = {"version": 1, "number": 2, "release": str(GREEN), "previous": None, "nonce": "ab", "at": AT}
        anyio.run(record, store, 1, BLUE)
        put(
            store,
            "p/owners/0000000002.json",
            good | content if isinstance(content, dict) and content else content,
        )
        with pytest.raises(StoreError, match=r"p/owners/0000000002\.json") as caught:
            latest(store)
        assert str(caught.value).isprintable()

    def test_the_same_record_whole_is_read(self, store: S3Store) -> None:
        """Control: what the cases above spoil is otherwise good."""
        good = {"version": 1, "number": 2, "release": str(GREEN), "previous": None, "nonce": "ab", "at": AT}
        put(store, "p/owners/0000000002.json", good)
        assert latest(store) == Ownership(2, GREEN)

    def test_a_store_that_does_not_answer_is_not_nobody(self, store: S3Store) -> None:
        """Neither a missing bucket nor an endpoint where nobody listens says that there is no owner."""
        nobody = open_store(store.bucket, endpoint_url="http://127.0.0.1:9", region=REGION)
        for silent in (replace(store, bucket="no-such-bucket"), nobody):
            with pytest.raises(StoreError):
                latest(silent)


class TestTaking:
    def test_a_number_that_is_taken_is_said_with_its_owner(self, store: S3Store) -> None:
        """The second finds out who has it, and the record stays the first's."""
        anyio.run(record, store, 2, GREEN)
        with pytest.raises(OwnerTaken) as caught:
            anyio.run(record, store, 2, BLUE)
        assert caught.value.found == latest(store) == Ownership(2, GREEN)

    def test_the_same_record_again_is_the_same_record(self, store: S3Store) -> None:
        """Whoever recorded it and was not told may say it again; the nonce tells that it is theirs."""
        for _ in range(2):
            anyio.run(lambda: record(store, 2, GREEN, nonce="ab12"))

    def test_what_is_not_a_record_is_not_taken_for_ours(self, store: S3Store) -> None:
        """A foreign object under that number ends it: it will not go away."""
        put(store, "p/owners/0000000002.json", b"not a record")
        with pytest.raises(StoreRefused, match=r"0000000002\.json"):
            anyio.run(record, store, 2, GREEN)

    def test_a_refusal_is_final(self, store: S3Store) -> None:
        """Where nothing was written and nothing will be, nobody waits for the deadline."""
        with pytest.raises(StoreRefused, match="NoSuchBucket"):
            anyio.run(record, replace(store, bucket="no-such-bucket"), 1, GREEN)


WRITERS = 8
ROUNDS = 25


class TestRaces:
    def test_of_all_who_want_a_number_one_gets_it(
        self, store: S3Store, s3_url: str, crowd: list[S3Store]
    ) -> None:
        """Eight writers, 25 numbers: each has one owner, and all the others are told the same name."""
        for number in range(1, ROUNDS + 1):
            won, told = anyio.run(race, crowd, number)
            assert len(won) == 1
            assert told == [Ownership(number, won[0])] * (WRITERS - 1)
            assert latest(store) == Ownership(number, won[0])

    def test_with_plain_writes_several_get_it(self, crowd: list[S3Store]) -> None:
        """Negative control: without create-only every writer is told that the state is its own."""
        for number in range(1, 4):
            won, told = anyio.run(race, [Overwriting(**vars(store)) for store in crowd], number)
            assert len(won) > 1
            assert len(won) + len(told) == WRITERS


@pytest.fixture
def crowd(store: S3Store, s3_url: str) -> Iterator[list[S3Store]]:
    """As many deployers, each with connections of its own."""
    stores = [open_store(store.bucket, endpoint_url=s3_url, region=REGION) for _ in range(WRITERS)]
    yield stores
    for each in stores:
        each.client.close()
        each.creator.close()


async def race(stores: list[Any], number: int) -> tuple[list[Release], list[Ownership]]:
    """Who was told that it owns the state, and what the others were told."""
    won: list[Release] = []
    told: list[Ownership] = []

    async def one(store: StateStore, release: Release) -> None:
        try:
            await record(store, number, release)
        except OwnerTaken as taken:
            told.append(taken.found)
        else:
            won.append(release)

    async with anyio.create_task_group() as group:
        for index, store in enumerate(stores):
            group.start_soon(one, store, Release(number, "77ab01c2d3", f"c{index}"))
    return won, told


@dataclass(frozen=True)
class Overwriting(S3Store):
    """Writes without the condition."""

    async def create(self, key: str, body: bytes) -> bool:
        await anyio.to_thread.run_sync(
            lambda: self.creator.put_object(Bucket=self.bucket, Key=key, Body=body), limiter=self.limiter
        )
        return True


class TestLosses:
    """A real server behind a relay that loses what a network loses."""

    @pytest.mark.parametrize("lost", ["request", "answer"])
    def test_a_lost_request_or_answer_leaves_one_record_which_is_ours(
        self, store: S3Store, s3_url: str, lost: str
    ) -> None:
        """The write is settled by reading, or done again: never twice, never for nothing."""
        with relayed(store, s3_url) as (far, relay):
            write = f"PUT /{store.bucket}/p/owners/".encode()
            (relay.lose if lost == "request" else relay.lose_answer_to)(write)
            anyio.run(lambda: record(far, 1, GREEN, nonce="ab12"))
            assert relay.lost_all
        assert anyio.run(store.list, "p/") == ("p/owners/0000000001.json",)
        assert b'"nonce":"ab12"' in (anyio.run(store.read, "p/owners/0000000001.json") or b"")

    @pytest.mark.parametrize("lost", ["request", "answer"])
    def test_a_rival_that_was_first_is_found_behind_a_loss(
        self, store: S3Store, s3_url: str, lost: str
    ) -> None:
        """An unclear answer is never taken for a success: the record names the other."""
        anyio.run(record, store, 1, BLUE)
        with relayed(store, s3_url) as (far, relay):
            write = f"PUT /{store.bucket}/p/owners/".encode()
            (relay.lose if lost == "request" else relay.lose_answer_to)(write)
            with pytest.raises(OwnerTaken) as caught:
                anyio.run(record, far, 1, GREEN)
            assert relay.lost_all
        assert caught.value.found == Ownership(1, BLUE)

    def test_a_store_that_comes_back_is_written_to(self, store: S3Store, s3_url: str) -> None:
        """An outage is waited for, each further attempt tells its reason, and then there is one record."""
        with relayed(store, s3_url) as (far, relay):
            relay.cut()
            reasons: list[str] = []

            def heed(reason: str) -> None:
                reasons.append(reason)
                relay.restore()

            anyio.run(lambda: record(far, 1, GREEN, tell=heed))
        assert reasons
        assert latest(store) == Ownership(1, GREEN)


@contextmanager
def relayed(store: S3Store, s3_url: str) -> Iterator[tuple[S3Store, Relay]]:
    """The same bucket as seen through a network."""
    with Relay(s3_url) as relay:
        far = open_store(store.bucket, endpoint_url=relay.url, region=REGION)
        yield far, relay
        far.client.close()
        far.creator.close()
