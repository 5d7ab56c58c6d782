"""S3 answers anything at all, over real HTTP: an error that is fit to be shown, never a proof, never an owner."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from xml.sax.saxutils import escape

import anyio
import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.bluegreen.model import MachineSeen, Ownership, Proof
from providers.gates import s3, s3_answers
from providers.gates.marker import marker_key, prove_marker
from providers.gates.output import clean
from providers.gates.owners import latest_owner, must_create_only_once, owner_key
from providers.gates.s3 import S3Store, open_store
from providers.gates.saved_state import manifest_key, prove_saved
from providers.gates.store import Head, StateStore, StoreError, StoreUnclear
from providers.timeline import page
from providers.timeline.keep import history, read
from providers.timeline.shelves import Bucket, ShelfError
from tests.bluegreen.worlds import cluster, spec
from tests.hostile.words import NASTY, anything, texts
from tests.looking.recorded import success
from tests.s3.fixtures import REGION
from tests.s3.scripted import Answer, Script, serve

PREFIX = "p/"
BEFORE = Head('"before"', 1, 1.0)
SECRET = "canary-of-the-store-0123456789"
MACHINE: MachineSeen = replace(cluster(spec(), 2)[0], exited_at=2e9, stop_asked_at=1e9, started_at=1e9)
RELEASE = str(MACHINE.release)
RUNS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEWER = settings(RUNS, max_examples=60)
LONGEST_SAID = 6_000
"""What one answer makes us say: a bounded list of bounded faults."""
WITHIN_S = 30.0


@dataclass
class Liar(Script):
    """Answers by what is asked: the first of ``told`` that is a part of "GET /path"; else there is no such key."""

    answers: list[Answer | None] = field(default_factory=list)
    told: dict[str, Answer | None] = field(default_factory=dict)

    def answer(self, request: str) -> Answer | None:
        self.asked.append(request)
        found = [answer for part, answer in self.told.items() if part in request]
        return found[0] if found else Answer.error(404, "NoSuchKey")


@dataclass(frozen=True, repr=False)
class World:
    """The store of a deployer, the server behind it, and another server, which nobody has business with."""

    store: S3Store
    liar: Liar
    elsewhere: Script


@contextmanager
def world(patch: pytest.MonkeyPatch) -> Iterator[World]:
    """Attempts are counted elsewhere: here each question is asked once."""
    patch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that it has read
    patch.setenv("AWS_ACCESS_KEY_ID", "local")
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    patch.setattr(s3, "_READS", s3._READS.merge(once))
    with serve(Liar()) as liar, serve(Script([Answer()])) as elsewhere:
        assert isinstance(liar, Liar)
        store = open_store("rooms-state", endpoint_url=liar.url, region=REGION)
        yield World(store, liar, elsewhere)
        store.client.close()
        store.creator.close()


@pytest.fixture(scope="module")
def lies() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, world(patch) as made:
        yield made


def shelf(store: StateStore) -> Bucket:
    return Bucket(store, "rooms-state", PREFIX)


def listed(*keys: str, more: str = "false") -> Answer:
    rows = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys)
    return Answer(body=f"<ListBucketResult><IsTruncated>{more}</IsTruncated>{rows}</ListBucketResult>")


Question = Callable[[StateStore], Awaitable[object]]
QUESTIONS: dict[str, Question] = {
    "owner": lambda store: latest_owner(store, PREFIX),
    "fence": lambda store: must_create_only_once(store, PREFIX, 1),
    "manifest": lambda store: prove_saved(store, PREFIX, MACHINE),
    "marker": lambda store: prove_marker(
        store, marker_key(PREFIX, "m/{machine_id}", MACHINE), MACHINE, BEFORE
    ),
    "history": lambda store: history(shelf(store), 20),
    "timeline": lambda store: read(shelf(store), "one.json"),
    "create": lambda store: store.create("p/one", b"ours"),
}


def ask(store: StateStore, question: Question) -> tuple[object, str]:
    """What came of it, within a deadline, and everything that may be printed of it."""

    async def main() -> tuple[object, str]:
        with anyio.fail_after(WITHIN_S):
            try:
                found = await question(store)
            except (StoreError, ShelfError) as error:
                return None, str(error)
            return found, "".join(found.faults) if isinstance(found, Proof) else ""

    found, said = anyio.run(main)
    assert said == clean(said)
    assert len(said) < LONGEST_SAID
    assert SECRET not in said
    assert "Traceback" not in said
    return found, said


def proves_nothing(found: object) -> bool:
    return not found or (isinstance(found, Proof) and bool(found.faults))


# --- Answers that are none ---------------------------------------------------------------------------------------

xml_parts = st.one_of(
    texts.map(escape),
    st.sampled_from(
        [
            "<IsTruncated>true</IsTruncated>",
            "<Contents/>",
            "<Contents><Key/></Contents>",
            "<Contents><Key>p/owners/0000000009.json</Key><Size>-1</Size><LastModified>x</LastModified></Contents>",
            "<NextContinuationToken>&#27;[2J</NextContinuationToken>",
            "<KeyCount>x</KeyCount>",
            "<MaxKeys>99999999999999999999</MaxKeys>",
            "<Code>NoSuchKey",
            "<Error><Code>\x1b[31m</Code></Error>",
            "&lol;",
            "<a>" * 5_000,
        ]
    ),
)
bodies = st.one_of(
    anything.map(json.dumps),
    st.lists(xml_parts, max_size=4).map("".join),
    st.lists(xml_parts, max_size=4).map(
        lambda parts: f"<ListBucketResult>{''.join(parts)}</ListBucketResult>"
    ),
    st.lists(xml_parts, max_size=3).map(lambda parts: f"<Error>{''.join(parts)}</Error>"),
    st.just(
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY lol "&a;&a;&a;">]><ListBucketResult>&lol;</ListBucketResult>'
    ),
)
in_a_header = texts.map(lambda text: "".join(c for c in text[:500] if c.isprintable() and ord(c) < 256))
headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "etag",
                "last-modified",
                "x-amz-request-id",
                "x-amz-bucket-region",
                "x-amz-checksum-crc32",
                "expires",
            ]
        ),
        st.one_of(
            in_a_header, st.sampled_from(["-1", "0", "9" * 40, "Thu, 99 Foo 0000 99:99:99 GMT", "\x1b[2J"])
        ),
    ),
    max_size=4,
).map(tuple)
statuses = st.sampled_from([200, 204, 206, 301, 304, 307, 400, 403, 404, 412, 416, 500, 503, 999])


@RUNS
@given(question=st.sampled_from([*QUESTIONS]), status=statuses, headers=headers, body=bodies)
def test_an_answer_of_any_shape_proves_nothing(
    question: str, status: int, headers: Any, body: str, lies: World
) -> None:
    """Any status, headers and body, to every question that is asked of S3."""
    lies.liar.told = {"": Answer(status, body, headers=headers)}
    found, _ = ask(lies.store, QUESTIONS[question])
    assert question in ("create", "marker") or proves_nothing(found)
    assert question != "create" or found is None or found is (status not in (412,))
    assert (
        question != "marker"
        or proves_nothing(found)
        or {name for name, _ in headers} >= {"etag", "last-modified"}
    )


@pytest.mark.parametrize("length", ["-5", "x", "1e3", "9" * 30, ""])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_length_of_any_shape_proves_nothing(question: str, length: str, lies: World) -> None:
    """The length that a server says is read by three libraries in three ways."""
    said = (("content-length", length), ("etag", '"x"'), ("last-modified", "Tue, 24 Nov 2026 00:00:00 GMT"))
    lies.liar.told = {"": Answer(200, "{}", promised=1, headers=said)}
    found, _ = ask(lies.store, QUESTIONS[question])
    assert question in ("create", "marker") or proves_nothing(found)
    assert not isinstance(found, Proof) or found.faults or found.bytes >= 0


@pytest.mark.parametrize("region", [False, True], ids=["", "region"])
@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_redirect_is_followed(question: str, status: int, region: bool, lies: World) -> None:
    """Not to another host, in the location nor in the region that a bucket is said to be in; and not in circles."""
    told = (("location", f"{lies.elsewhere.url}/rooms-state"), ("x-amz-bucket-region", "evil.test/#"))
    body = "<Error><Code>PermanentRedirect</Code></Error>"
    lies.liar.told = {"": Answer(status, body, headers=told if region else told[:1])}
    lies.liar.asked.clear()
    found, said = ask(lies.store, QUESTIONS[question])
    assert len(lies.liar.asked) <= 3
    assert proves_nothing(found)
    assert said
    assert lies.elsewhere.asked == []


# --- Records that are none ---------------------------------------------------------------------------------------

OWNER = {"version": 1, "number": 9, "release": RELEASE, "previous": None, "nonce": "ab", "at": 1.5}
MANIFEST = {
    "version": 1,
    "release": RELEASE,
    "machine_id": MACHINE.id,
    "instance_id": MACHINE.instance_id,
    "started_at": 1.1e9,
    "saved_at": 1.2e9,
    "drain": None,
    "objects": [],
    "counts": {},
}


def holds(lies: World, key: str, body: str) -> None:
    """The store has this one object, and lists it."""
    said = (("etag", '"x"'), ("last-modified", "Tue, 24 Nov 2026 00:00:00 GMT"))
    lies.liar.told = {f"/{key}": Answer(200, body, headers=said), "list-type": listed(key)}


@RUNS
@given(name=st.sampled_from([*OWNER]), value=anything, gone=st.booleans(), cut=st.integers(0, 60))
def test_a_record_with_one_field_of_any_shape_makes_nobody_an_owner(
    name: str, value: Any, gone: bool, cut: int, lies: World
) -> None:
    """Spoilt, without the field, or broken off: only what is a record, of that number, tells of an owner."""
    record = {key: told for key, told in (OWNER | {name: value}).items() if not (gone and key == name)}
    holds(lies, owner_key(PREFIX, 9), json.dumps(record)[: -cut or None])
    found, said = ask(lies.store, QUESTIONS["owner"])
    assert said or found == Ownership(9, MACHINE.release)
    if found:
        assert not cut
        assert (record.get("version", 1), record["number"], record["release"]) == (1, 9, RELEASE)


@RUNS
@given(name=st.sampled_from([*MANIFEST]), value=anything, gone=st.booleans(), cut=st.integers(0, 200))
def test_a_manifest_with_one_field_of_any_shape_proves_nothing(
    name: str, value: Any, gone: bool, cut: int, lies: World
) -> None:
    """Of another machine, of objects that are not there, of no objects at all: whatever it says is looked at."""
    manifest = {key: told for key, told in (MANIFEST | {name: value}).items() if not (gone and key == name)}
    holds(lies, manifest_key(PREFIX, MACHINE), json.dumps(manifest)[: -cut or None])
    found, _ = ask(lies.store, QUESTIONS["manifest"])
    assert isinstance(found, Proof)
    if not found.faults:
        assert not cut
        assert (
            name in ("drain", "counts", "started_at", "saved_at")
            or manifest == MANIFEST
            or value == MANIFEST[name]
        )
        assert found.rooms < 2**63


def test_the_same_records_whole_are_read(lies: World) -> None:
    """The positive control."""
    holds(lies, owner_key(PREFIX, 9), json.dumps(OWNER))
    assert ask(lies.store, QUESTIONS["owner"])[0] == Ownership(9, MACHINE.release)
    holds(lies, manifest_key(PREFIX, MACHINE), json.dumps(MANIFEST))
    assert ask(lies.store, QUESTIONS["manifest"])[0] == Proof(MACHINE.id)


# --- Keys and timelines ------------------------------------------------------------------------------------------

TRICKS = (
    *(name for name in NASTY if name.isprintable()),
    "20269999T999999.999Z_2-3fa9c1d20e_deployed.json",
    "20261123T214501.250Z_2_deployed.json".translate({ord("2"): "\u0662"}),
    "0000000000.json",
    "9999999999.json",
    "00000000009.json",
    "/etc/passwd",
    "0000000009.json/../../x",
)


@FEWER
@given(names=st.lists(st.sampled_from(TRICKS), max_size=4), inside=st.booleans())
@pytest.mark.parametrize("question", ["owner", "history"])
def test_keys_with_tricks_name_nobody(question: str, names: list[str], inside: bool, lies: World) -> None:
    """Neither an owner nor a deploy, and what is not under the prefix is no answer to the question."""
    folder = {"owner": "p/owners/0", "history": "p/deploys/"}[question] if inside else ""
    lies.liar.told = {"list-type": listed(*(folder + name for name in names))}
    found, said = ask(lies.store, QUESTIONS[question])
    assert not found
    assert inside or not names or "nobody asked for" in said or "without" in said


@RUNS
@given(
    name=st.sampled_from(["started_at", "app", "blue", "phases", "machines", "windows", "api_calls"]),
    value=anything,
)
def test_a_timeline_of_any_shape_is_a_page_or_none(name: str, value: Any, lies: World) -> None:
    """What is kept of a deploy may be spoilt: it is refused, or drawn."""
    told = success().model_dump(mode="json") | {name: value}
    holds(lies, "p/deploys/one.json", json.dumps(told))
    found, said = ask(lies.store, QUESTIONS["timeline"])
    assert said or "\x1b" not in page.render(found)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [-1.0, 1e300, 1e12])
def test_a_timeline_beyond_all_dates_is_none(at: float, lies: World) -> None:
    """A number that no calendar has a day for."""
    told = success().model_dump(mode="json") | {"started_at": at}
    holds(lies, "p/deploys/one.json", json.dumps(told))
    assert "started_at" in ask(lies.store, QUESTIONS["timeline"])[1]


# --- Bodies without end ------------------------------------------------------------------------------------------

MIB = 1024 * 1024
ENDLESS = 100
"""MiB: a body of this length stands for one without end."""


def endless(taken: list[int]) -> Iterator[bytes]:
    for _ in range(ENDLESS):
        yield b" " * MIB
        taken.append(MIB)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("question", ["owner", "manifest"])
def test_a_body_without_end_is_not_read_to_its_end(
    question: str, status: int, lies: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a list, nor an object, nor an error."""
    monkeypatch.setattr(s3_answers, "OBJECT_CAP_BYTES", 8 * MIB)
    said = (
        ("content-length", str(ENDLESS * MIB)),
        ("etag", '"x"'),
        ("last-modified", "Tue, 24 Nov 2026 00:00:00 GMT"),
    )
    taken: list[int] = []
    huge = Answer(status, headers=said, pieces=lambda: endless(taken))
    head = Answer(200, headers=said[1:])
    lies.liar.told = {"HEAD": head, "": huge}
    _, told = ask(lies.store, QUESTIONS[question])
    assert "more than 8,388,608 bytes" in told
    assert sum(taken) < 40 * MIB


@pytest.mark.parametrize("question", ["owner", "create"])
def test_a_body_that_comes_by_the_byte_is_given_up(
    question: str, lies: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and the end does not; a write of which that is the answer may have happened."""
    monkeypatch.setattr(s3_answers, "BODY_WITHIN_S", 0.05)
    over = threading.Event()

    def drip() -> Iterator[bytes]:
        while not over.wait(0.01):
            yield b" "

    lies.liar.told = {"": Answer(200, headers=(("content-length", "99999"),), pieces=drip)}
    _, told = ask(lies.store, QUESTIONS[question])
    over.set()
    assert "does not end in 0.05 s" in told


def test_a_create_that_is_not_answered_to_its_end_is_unclear(
    lies: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind its deadline it is neither done nor undone, though nobody may cancel it before."""
    monkeypatch.setattr(s3, "CREATE_WITHIN_S", 0.05)
    over = threading.Event()

    def silent() -> Iterator[bytes]:
        over.wait(WITHIN_S)
        yield b""

    lies.liar.told = {"": Answer(200, headers=(("content-length", "9"),), pieces=silent)}

    async def main() -> None:
        with pytest.raises(StoreUnclear, match="TimeoutError"):
            await lies.store.create("p/one", b"ours")
        over.set()

    anyio.run(main)
