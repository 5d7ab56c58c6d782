"""S3 servers for the gates that ask S3."""

from __future__ import annotations

from tests.s3.fixtures import credentials, s3_url, store, versitygw

__all__ = ["credentials", "s3_url", "store", "versitygw"]
