"""The store over S3's real protocol: what it knows, what it does not, and that it creates once."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import boto3
import pytest
from botocore.config import Config

from providers.gates import s3
from providers.gates.s3 import S3Store, open_store
from providers.gates.store import StoreError, StoreRefused, StoreUnclear
from tests.s3.fixtures import REGION
from tests.s3.scripted import Answer, Script, say


def put(store: S3Store, key: str, content: bytes = b"x") -> str:
    return store.client.put_object(Bucket=store.bucket, Key=key, Body=content)["ETag"]


@contextmanager
def store_that_says(*answers: Answer | None) -> Iterator[tuple[S3Store, Script]]:
    with say(*answers) as script:
        store = open_store("rooms-state", endpoint_url=script.url, region=REGION)
        yield store, script
        store.client.close()
        store.creator.close()


class TestReading:
    def test_what_is_there_is_read_and_what_is_not_is_none(self, store: S3Store) -> None:
        """Content, ETag, size; and None where S3 says that there is no such key."""
        etag = put(store, "p/rooms/0.json", b"edits")
        head = anyio.run(store.head, "p/rooms/0.json")
        assert head is not None
        assert (head.etag, head.bytes) == (etag, 5)
        assert anyio.run(store.read, "p/rooms/0.json") == b"edits"
        assert anyio.run(store.read, "p/rooms/1.json") is None
        assert anyio.run(store.head, "p/rooms/1.json") is None

    def test_when_it_was_written_is_told_by_the_servers_clock(self, store: S3Store) -> None:
        """In seconds since the epoch: between the moments before and after, in whole seconds."""
        before = int(time.time())
        put(store, "p/marker")
        head = anyio.run(store.head, "p/marker")
        assert head is not None
        assert before <= head.modified <= time.time()

    def test_a_missing_bucket_is_not_a_missing_key(self, store: S3Store) -> None:
        """Unknown is not absent: not for one key, not for a list, and nothing is created."""
        absent = replace(store, bucket="no-such-bucket")
        for question in (absent.read, absent.list):
            with pytest.raises(StoreError, match="NoSuchBucket"):
                anyio.run(question, "p/")
        with pytest.raises(StoreError, match="404"):
            anyio.run(absent.head, "p/")
        with pytest.raises(StoreRefused, match="NoSuchBucket"):
            anyio.run(absent.create, "p/0.json", b"")

    @pytest.mark.usefixtures("credentials")
    def test_a_body_that_was_cut_is_not_the_body(self) -> None:
        """A connection that ends before the promised length gives an error, never half a manifest."""
        with store_that_says(Answer(body="half", promised=8)) as (store, _), pytest.raises(StoreError):
            anyio.run(store.read, "p/manifest.json")

    @pytest.mark.usefixtures("credentials")
    def test_what_s3_says_is_safe_to_print(self) -> None:
        """No control characters, bounded; the refusal is told apart from what may pass."""
        hostile = Answer.error(403, "AccessDenied", "\u009b31m\u202e" + "x" * 9999)
        with (
            store_that_says(hostile) as (store, _),
            pytest.raises(StoreRefused, match="AccessDenied") as caught,
        ):
            anyio.run(store.read, "p/\x1b[31m.json")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500

    @pytest.mark.usefixtures("credentials")
    @pytest.mark.parametrize("body", ["", "<", "<x/>", "\x00"])
    def test_an_answer_that_is_no_answer_says_nothing(self, body: str) -> None:
        """Whatever the endpoint serves, an error page or nothing, is neither a list of keys nor an ETag."""
        with store_that_says(Answer(body=body)) as (store, _):
            with pytest.raises(StoreError):
                anyio.run(store.head, "p/0.json")
            with pytest.raises(StoreError):
                anyio.run(store.list, "p/")

    def test_it_runs_on_trio_too(self, store: S3Store) -> None:
        """Threads and their limit are those of whichever event loop asks."""
        assert anyio.run(store.create, "p/0.json", b"edits", backend="trio") is True
        assert anyio.run(store.read, "p/0.json", backend="trio") == b"edits"
        assert anyio.run(store.list, "p/", backend="trio") == ("p/0.json",)


class TestListing:
    def test_all_keys_under_a_prefix_are_listed_in_order(self, store: S3Store) -> None:
        """Sorted, with all characters, and nothing that is beside the prefix."""
        keys = ["p/b", "p/a/0.json", "p/räume/a b+%&#?.json", "p/a/1.json"]
        for key in (*keys, "q/0.json", "p0"):
            put(store, key)
        assert anyio.run(store.list, "p/") == tuple(sorted(keys))
        assert anyio.run(store.list, "nothing/") == ()

    def test_pages_are_followed(self, store: S3Store) -> None:
        """However few keys the server gives at a time, and also when the last page is full, all are in the list."""
        pages: list[int] = []

        def shorten(params: dict[str, object], **_: object) -> dict[str, object]:
            pages.append(2)
            return params | {"MaxKeys": 2}

        hooks: Any = store.client.meta.events
        hooks.register("provide-client-params.s3.ListObjectsV2", shorten)
        for count in range(1, 7):
            put(store, f"p/{count}")
            pages.clear()
            assert anyio.run(store.list, "p/") == tuple(f"p/{number}" for number in range(1, count + 1))
            assert len(pages) == (count + 1) // 2

    @pytest.mark.usefixtures("credentials")
    def test_pages_that_come_round_again_are_refused(self) -> None:
        """A server that gives a page twice would be asked for ever."""
        first, second = page("a", more="1"), page("b", more="2")
        with store_that_says(first, second, first, second) as (store, script):
            with pytest.raises(StoreError, match="does not end"):
                anyio.run(store.list, "p/")
            assert len(script.asked) == 3

    @pytest.mark.usefixtures("credentials")
    @pytest.mark.parametrize("answer", ["<IsTruncated>true</IsTruncated>", "1,000,001 keys"])
    def test_a_list_without_an_end_is_refused(self, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """More to come and no way to ask for it, or more than anybody has: neither is taken for a list."""
        monkeypatch.setattr(s3, "MOST_KEYS", 3)
        pages = (
            [page("a", more=str(number)) for number in range(5)] if "keys" in answer else [page("a", more="")]
        )
        with store_that_says(*pages) as (store, script):
            with pytest.raises(StoreError, match="does not end"):
                anyio.run(store.list, "p/")
            assert len(script.asked) <= 3


def page(key: str, more: str) -> Answer:
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    listed = f"<Contents><Key>p/{key}</Key></Contents>"
    return Answer(body=f"<ListBucketResult><IsTruncated>true</IsTruncated>{token}{listed}</ListBucketResult>")


class TestCreating:
    def test_an_object_is_created_once_and_never_overwritten(self, store: S3Store) -> None:
        """The second is told that there is one, also when it brings the same bytes; the first stays."""
        assert anyio.run(store.create, "p/owners/1.json", b"first") is True
        assert anyio.run(store.create, "p/owners/1.json", b"second") is False
        assert anyio.run(store.create, "p/owners/1.json", b"first") is False
        assert anyio.run(store.read, "p/owners/1.json") == b"first"

    def test_what_overwrites_would_be_seen(self, store: S3Store) -> None:
        """Negative control: the same write without its condition replaces the first."""
        put(store, "p/owners/1.json", b"first")
        put(store, "p/owners/1.json", b"second")
        assert anyio.run(store.read, "p/owners/1.json") == b"second"

    @pytest.mark.usefixtures("credentials")
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer.error(500, "InternalError"), StoreUnclear),
            (Answer.error(503, "SlowDown"), StoreUnclear),
            (Answer(502, "<html>Bad Gateway"), StoreUnclear),
            (Answer.error(409, "ConditionalRequestConflict"), StoreUnclear),
            (Answer.error(400, "RequestTimeout"), StoreUnclear),
            (Answer.error(429, "TooManyRequests"), StoreUnclear),
            (None, StoreUnclear),
            (Answer.error(403, "AccessDenied"), StoreRefused),
            (Answer.error(404, "NoSuchBucket"), StoreRefused),
            (Answer.error(501, "NotImplemented"), StoreRefused),
        ],
        ids=lambda value: "hangs up" if value is None else getattr(value, "body", None) or None,
    )
    def test_each_answer_means_what_it_says(self, answer: Answer | None, error: type[StoreError]) -> None:
        """It may have happened, or S3 said no. Either way it was sent once: a second would meet the first's object."""
        with store_that_says(answer) as (store, script):
            with pytest.raises(StoreError) as caught:
                anyio.run(store.create, "p/owners/1.json", b"ours")
            assert type(caught.value) is error
            assert script.asked == ["PUT /rooms-state/p/owners/1.json"]

    @pytest.mark.usefixtures("credentials")
    def test_boto3s_own_retries_would_meet_their_own_object(self) -> None:
        """Negative control: the client for reading sends a write again by itself, whatever became of the first."""
        with store_that_says(Answer.error(500, "InternalError"), Answer.error(412, "PreconditionFailed")) as (
            store,
            script,
        ):
            assert anyio.run(replace(store, creator=store.client).create, "p/owners/1.json", b"ours") is False
            assert len(script.asked) == 2

    @pytest.mark.usefixtures("credentials")
    def test_a_write_that_was_never_sent_did_not_happen(self) -> None:
        """Where nobody listens nothing can have been written, and that is known."""
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        nobody = open_store("rooms-state", endpoint_url=url, region=REGION)
        with pytest.raises(StoreError) as caught:
            anyio.run(nobody.create, "p/owners/1.json", b"ours")
        assert type(caught.value) is StoreError

    @pytest.mark.usefixtures("credentials")
    def test_an_answer_that_does_not_come_leaves_it_open(self) -> None:
        """A server that took the request and says nothing may have done it."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            impatient = boto3.client(
                "s3",
                endpoint_url=url,
                region_name=REGION,
                config=s3._CREATES.merge(Config(read_timeout=0.1)),
            )
            store = replace(open_store("rooms-state", endpoint_url=url, region=REGION), creator=impatient)
            with pytest.raises(StoreUnclear, match="ReadTimeoutError"):
                anyio.run(store.create, "p/owners/1.json", b"ours")
            impatient.close()

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_one_that_is_under_way_is_not_abandoned(self, store: S3Store, backend: str) -> None:
        """A deadline in the middle of a write does not leave it to land unseen: its answer is waited for."""

        async def create_until_cancelled() -> bool:
            scope = anyio.CancelScope()

            def cancel(**_: object) -> None:
                anyio.from_thread.run_sync(scope.cancel)

            store.creator.meta.events.register("before-send.s3.PutObject", cancel)
            with scope:
                return await store.create("p/owners/1.json", b"ours")
            raise AssertionError("abandoned")

        assert anyio.run(create_until_cancelled, backend=backend) is True
        assert anyio.run(store.read, "p/owners/1.json") == b"ours"


@pytest.mark.parametrize("s3_url", ["versitygw"], indirect=True)  # moto takes any
def test_wrong_credentials_are_refused(s3_url: str, store: S3Store) -> None:
    """A server that checks signatures says no, which is neither absent nor unclear; the secret is not in the error."""
    stranger = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="wrong-secret",
    )
    refused = replace(store, client=stranger, creator=stranger)
    for question in (refused.read, refused.list, partial(refused.create, body=b"")):
        with pytest.raises(StoreRefused, match="SignatureDoesNotMatch") as caught:
            anyio.run(question, "p/0")
        assert "wrong-secret" not in str(caught.value)
    stranger.close()
