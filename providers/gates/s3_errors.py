"""What an error of S3 says of what is there, and of a write: that it did not happen, or nothing at all."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, SSLError

from providers.gates.faults import shown
from providers.gates.s3_answers import AnswerRefused
from providers.gates.store import StoreError, StoreRefused, StoreUnclear

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_PASSING = frozenset({"RequestTimeout", "SlowDown"})
"""Codes that S3 sends with a 400 or a 503, and that say: later."""
_PASSING_STATUSES = frozenset({408, 409, 425, 429})
"""409: another conditional write of the same key is under way, and S3 wants to be asked again."""


def says_absent(error: ClientError) -> bool:
    """Whether S3 says that there is no such key. A missing bucket is a 404 too, and says nothing of keys."""
    return _code(error) in _ABSENT


def says_taken(error: ClientError) -> bool:
    """Whether a create-only write found an object there."""
    return _status(error) == 412


def told(error: Exception, where: str, *, writes: bool) -> StoreError:
    """The error as ours. Texts of clients are left out, since they hold addresses."""
    text = f"{where}: {_text(error)}"
    if isinstance(error, ClientError) and _refused(error):
        return StoreRefused(text)
    return StoreUnclear(text) if writes and _sent(error) else StoreError(text)


def _refused(error: ClientError) -> bool:
    status = _status(error)
    passing = _code(error) in _PASSING or status in _PASSING_STATUSES
    return not passing and (300 <= status < 500 or status == 501)


def _sent(error: Exception) -> bool:
    """Whether the request may have arrived. botocore has errors of its own for connections that were never made."""
    return not isinstance(error, BotoCoreError) or isinstance(error, (HTTPClientError, SSLError))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _text(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"an answer without {error}"
    if isinstance(error, AnswerRefused):
        return str(error)
    if not isinstance(error, ClientError):
        return type(error).__name__
    message = error.response.get("Error", {}).get("Message", "")
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
    return shown(f"{_code(error) or 'error'} {message} (request id {request_id})")
