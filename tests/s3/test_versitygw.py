"""The second S3 server: real files, its own port, gone with its test."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from tests.s3.versitygw import serve_versitygw


def save(url: str) -> str:
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    client.create_bucket(Bucket="rooms-state")
    client.put_object(Bucket="rooms-state", Key="p/rooms/0.json", Body=b"edits")
    etag: str = client.head_object(Bucket="rooms-state", Key="p/rooms/0.json")["ETag"]
    client.close()
    return etag


def test_it_keeps_files_on_disk_and_ends_with_its_block(versitygw: Path, tmp_path: Path) -> None:
    """An object is a file with its bytes; afterwards nobody listens any more."""
    with serve_versitygw(versitygw, tmp_path) as url:
        save(url)
        address = urlsplit(url)
    assert (tmp_path / "data/rooms-state/p/rooms/0.json").read_bytes() == b"edits"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname or "", address.port or 0))


def test_it_needs_no_extended_attributes(
    versitygw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without them ETags are kept beside, and are the same."""

    def refuse(*_: object) -> None:
        raise OSError("not supported")

    with serve_versitygw(versitygw, subdirectory(tmp_path, "with")) as url:
        expected = save(url)
    monkeypatch.setattr(os, "setxattr", refuse)
    with serve_versitygw(versitygw, subdirectory(tmp_path, "without")) as url:
        assert save(url) == expected
    assert any((tmp_path / "without/metadata").rglob("*"))


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A program that is none is told with its last words, at once."""
    with (
        pytest.raises(AssertionError, match="versitygw ended: cannot start"),
        serve_versitygw(tmp_path / "versitygw", tmp_path),
    ):
        pass


def subdirectory(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made
