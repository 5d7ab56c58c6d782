"""What rooms need from S3, in S3's terms: who owns what, what was saved last, and the proof of it.

    <prefix>owners/<number>.json                       the release that owns the state since that commit
    <prefix>added/<release>/<machine>.json             that this machine may open rooms, where it was added later
    <prefix>claims/<release>/<room>.json               the room's one machine within the release, created once
    <prefix>rooms/<room>/<number>-<sequence>.json      the edits (`keys`)
    <prefix>manifests/<release>/<machine>.json         what this machine saved when it was told to

Blocking, and slow to import, so `store` imports and calls it in threads.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from typing import Final

from examples.rooms.bucket import Bucket
from examples.rooms.keys import ROOMS, Stamp, StateKey, newest_of_each
from examples.rooms.room import Edit, Room, Saved, decode_state, encode_state
from examples.rooms.settings import Settings
from examples.rooms.store import Claim, Owner, StoreError, Unreadable

OWNERS: Final = "owners/0"
"""Every record's key begins so; releases, which other keys may begin with, do not."""
OWNER_KEY: Final = re.compile(r"owners/([0-9]{10})\.json")
LOOKS: Final = 5
"""How often a room is looked for again that was saved anew, and tidied up, between its listing and its reading."""


class S3:
    """One bucket, seen by one machine. Every method may raise StoreError and may run in any thread."""

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self._machine_id = settings.machine_id
        self._release = settings.release
        self._state_format = settings.state_format
        self._bucket = bucket

    def check(self) -> None:
        """Ask for the bucket."""
        self._bucket.check()

    def owner(self, known: Owner | None) -> Owner | None:
        """Who owns the state: the highest record. `known`: the highest one read so far; a record never changes."""
        after = f"owners/{known.number:010}.json" if known else ""
        keys = self._bucket.keys(OWNERS, after=after)
        return self._read_owner(max(keys)) if keys else known

    def is_admitted(self) -> bool:
        """Whether the deployer has let this machine in, which was added to its release."""
        return self._bucket.read(f"added/{self._release}/{self._machine_id}.json") is not None

    def claim(self, room: str) -> Claim:
        """Make this machine the room's own unless the release has one already; say which it is.

        The claim is an object that is only ever created, so this is as exclusive as the server's
        `If-None-Match: *`: S3's is; moto 5.2.5 looks first and writes afterwards, and let two machines win
        until its requests were put behind a lock. After any answer but success the object that is read
        back decides: a 412 may be the answer to our own write (hudi#14373), a timeout may hide a success.
        """
        key = f"claims/{self._release}/{room}.json"
        nonce = secrets.token_hex(8)
        body = json.dumps({"machine_id": self._machine_id, "nonce": nonce}).encode()
        try:
            self._bucket.create(key, body)
        except StoreError as refused:
            return self._read_claim(key, nonce, refused)
        return Claim(self._machine_id, new=True)

    def load(self, room: str) -> Room:
        """The room as it was last saved; an empty one only when S3 lists no state of it."""
        keys = self._list_states(room)
        if not keys:
            return Room(room)
        key, edits, saved = self._open(max(keys, key=lambda key: key.stamp))
        older = [self._bucket.full(str(other)) for other in keys if other.stamp < key.stamp]
        return Room(room, edits, saved, len(edits), key.stamp, older, saved.key)

    def save(self, room: str, stamp: Stamp, edits: Iterable[Edit]) -> Saved:
        """Write the room's state. Taken: there is a write with this stamp already; nothing was overwritten."""
        key = StateKey(room, stamp)
        return self._bucket.create(str(key), encode_state(room, edits, self._state_format))

    def newest_stamp(self, room: str) -> Stamp:
        """The stamp of the write that counts."""
        return max((key.stamp for key in self._list_states(room)), default=Stamp())

    def newest_states(self) -> dict[str, StateKey]:
        """Per room below the prefix, the key that counts. Unreadable: a key is no room's."""
        return newest_of_each(self._parse(key) for key in self._bucket.keys(ROOMS))

    def rehearse(self, key: StateKey) -> int:
        """Read and decode one state (or the one that took its place meanwhile), and keep nothing: its bytes."""
        return self._open(key)[2].bytes

    def delete(self, keys: list[str]) -> None:
        """Delete objects by their full keys."""
        self._bucket.delete(keys)

    def save_manifest(self, body: bytes) -> Saved:
        """Write this machine's manifest."""
        return self._bucket.put(f"manifests/{self._release}/{self._machine_id}.json", body)

    def _list_states(self, room: str) -> list[StateKey]:
        return [self._parse(key) for key in self._bucket.keys(f"{ROOMS}{room}/")]

    def _parse(self, key: str) -> StateKey:
        try:
            return StateKey.parse(key)
        except ValueError:
            raise Unreadable(f"{self._bucket.full(key)}: not a room's state") from None

    def _open(self, key: StateKey) -> tuple[StateKey, list[Edit], Saved]:
        for _ in range(LOOKS):
            if found := self._bucket.read(str(key)):
                return (
                    key,
                    self._decode(key, found[0]),
                    Saved(self._bucket.full(str(key)), found[1], len(found[0])),
                )
            newest = StateKey(key.room, self.newest_stamp(key.room))
            if newest == key or newest.stamp == Stamp():
                break
            key = newest
        raise StoreError(f"{self._bucket.full(str(key))} was listed and is not there")

    def _decode(self, key: StateKey, body: bytes) -> list[Edit]:
        try:
            return decode_state(body, self._state_format)
        except ValueError as error:
            raise Unreadable(f"{self._bucket.full(str(key))}: {error}") from error

    def _read_owner(self, key: str) -> Owner:
        numbered, found = OWNER_KEY.fullmatch(key), self._bucket.read(key)
        if numbered is None or found is None:
            raise StoreError(f"{self._bucket.full(key)} is no record of an owner")
        try:
            record = json.loads(found[0])
            if record["version"] != 1:
                raise ValueError(f"version {record['version']}")
            return Owner(int(numbered[1]), str(record["release"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self._bucket.full(key)} names no release: {error!r}") from error

    def _read_claim(self, key: str, nonce: str, refused: StoreError) -> Claim:
        found = self._bucket.read(key)
        if found is None:
            raise StoreError(f"{key} was not created and is not there: {refused}") from refused
        try:
            claim = json.loads(found[0])
            return Claim(str(claim["machine_id"]), new=claim.get("nonce") == nonce)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{key} names no machine: {error!r}") from error
