"""The S3 servers themselves."""

from __future__ import annotations

from tests.s3.fixtures import versitygw

__all__ = ["versitygw"]
