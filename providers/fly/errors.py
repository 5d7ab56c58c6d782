"""What can go wrong in a call, as one tree.

    FlyError
    ├── Unreachable          nothing was sent: the call did not happen
    ├── Lapsed               nothing more was sent: the lease to be shown may be somebody else's by now
    ├── Ambiguous            the call may have happened: only a fresh observation may follow
    ├── BadAnswer            an answer to a read that is not what the API documents
    ├── ServerError          5xx, or 408, to a read
    ├── NotReached           408 to a wait: the state was not reached in time
    └── (the API refused: the call did not happen)
        Unauthorized 401 · Forbidden 403 · NotFound 404 · Conflict 409 ·
        PreconditionFailed 412 · Invalid 400, 413, 422 · RateLimited 429

Every message names the call and, where the API answered, Fly's request id: it is what Fly's support asks for.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One HTTP call as errors and retries see it. ``safe_to_repeat``: doing it twice equals doing it once."""

    action: str
    method: str
    path: str
    safe_to_repeat: bool

    @property
    def reads(self) -> bool:
        return self.method == "GET"

    @property
    def long_polls(self) -> bool:
        """Whether 408 is its answer rather than its failure."""
        return self.action == "machine.wait"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class FlyError(Exception):
    """A call to the Machines API that did not succeed."""

    def __init__(self, call: Call, reason: str, *, status: int | None = None, request_id: str = "") -> None:
        self.call = call
        self.reason = reason
        self.status = status
        self.request_id = request_id
        super().__init__(self._text())

    def _text(self) -> str:
        status = f" answered {self.status}" if self.status else ""
        request = f" (request id {self.request_id})" if self.request_id else ""
        return f"{self.call}{status}: {self.reason}{request}"


class Unreachable(FlyError):
    """No connection: nothing was sent."""


class Lapsed(FlyError):
    """Not sent, or not sent again: the machine's lease was not renewed in time, so another may hold it."""


class Ambiguous(FlyError):
    """The call was sent and its effect is unknown (408, 5xx to a write, a reset, a read timeout)."""


class BadAnswer(FlyError):
    """The answer to a read is not what the API documents."""


class ServerError(FlyError):
    """5xx, or 408, to a read."""


class NotReached(FlyError):
    """408 to ``/wait``: an answer rather than an accident."""


class Unauthorized(FlyError):
    """401: the token is missing, wrong or expired."""


class Forbidden(FlyError):
    """403: the token is of another organization."""


class NotFound(FlyError):
    """404. Just after a create it proves nothing (INCIDENTS 11)."""


class Conflict(FlyError):
    """409: lease, name, version, or no capacity on the host."""


class PreconditionFailed(FlyError):
    """412."""


class Invalid(FlyError):
    """400, 413, 422: the request itself is wrong."""


class RateLimited(FlyError):
    """429. ``retry_after`` in seconds, where the API said one."""

    retry_after: float | None = None


_BY_STATUS: dict[int, type[FlyError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Ambiguous,
    409: Conflict,
    412: PreconditionFailed,
    413: Invalid,
    422: Invalid,
    429: RateLimited,
}


def from_status(call: Call, status: int, reason: str, request_id: str) -> FlyError:
    """The error for an HTTP status that is not a success."""
    kind = _BY_STATUS.get(status, Invalid)
    if status >= 500:
        kind = ServerError if call.reads else Ambiguous
    elif status == 408 and call.reads:
        kind = NotReached if call.long_polls else ServerError
    return kind(call, reason, status=status, request_id=request_id)
