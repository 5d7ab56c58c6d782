"""Answers of S3 that have an end: botocore reads what is sent, however long it is and however long it takes."""

from __future__ import annotations

import io
import time
from typing import Any, Protocol

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import HTTPClientError
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

OBJECT_CAP_BYTES = 64 * 1024 * 1024
"""A manifest of 100,000 objects is about 9 MB."""
OTHER_CAP_BYTES = 8 * 1024 * 1024
"""A page of 1,000 keys, each of the greatest length, is about 2 MB; an error is shorter."""
BODY_WITHIN_S = 60.0
REGION_HEADER = "x-amz-bucket-region"
NOWHERE = 400
"""What a redirect that names no region is taken for: botocore asks the bucket for its region, is redirected, asks the
bucket for its region, and ends at Python's recursion limit, 166 requests later (measured).
"""
_CHUNK_BYTES = 64 * 1024


class AnswerRefused(HTTPClientError):
    """``str()`` says why the answer was not read to its end."""

    fmt = "{error}"


class _Sender(Protocol):
    def send(self, request: AWSPreparedRequest) -> AWSResponse: ...

    def close(self) -> None: ...


class _Bounded:
    """Sends as ``inner`` does, and reads no more of the answer than is to be expected."""

    def __init__(self, inner: _Sender) -> None:
        self._inner = inner

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        is_object, request.stream_output = request.stream_output, True
        response = self._inner.send(request)
        most = OBJECT_CAP_BYTES if is_object and response.status_code < 300 else OTHER_CAP_BYTES
        try:
            response.raw = _Read(_read(response.raw, most))
        except (HTTPError, OSError) as error:
            raise HTTPClientError(error=error) from None
        if 300 <= response.status_code < 400 and REGION_HEADER not in response.headers:
            response.status_code = NOWHERE
        return response

    def close(self) -> None:
        self._inner.close()


class _Read(io.BytesIO):
    """A body that was read, with the method by which botocore takes one as a whole."""

    def stream(self) -> list[bytes]:
        return [self.read()]


def bound(client: Any) -> None:
    """Have ``client`` read no more than that. botocore has no public place for it: its own session is wrapped."""
    client._endpoint.http_session = _Bounded(client._endpoint.http_session)


def _read(raw: BaseHTTPResponse, most: int) -> bytes:
    body, due = bytearray(), time.monotonic() + BODY_WITHIN_S
    try:
        # read1 gives what has come: read would wait for a whole chunk, a byte at a time.
        while chunk := raw.read1(_CHUNK_BYTES):
            body += chunk
            if len(body) > most:
                raise AnswerRefused(error=f"an answer of more than {most:,} bytes")
            if time.monotonic() > due:
                raise AnswerRefused(error=f"an answer that does not end in {BODY_WITHIN_S:g} s")
    except BaseException:
        raw.close()  # what is left of it would be read as the next answer
        raise
    raw.release_conn()
    return bytes(body)
