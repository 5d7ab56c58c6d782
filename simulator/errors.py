"""The API's errors: a status code, a text, and the word that Fly puts into `status`."""

from collections.abc import Mapping

STATUS_WORDS: Mapping[int, str] = {
    400: "invalid_argument",
    401: "unauthenticated",
    404: "not_found",
    405: "method_not_allowed",
    408: "deadline_exceeded",
    409: "aborted",
    412: "failed_precondition",
    413: "invalid_argument",
    422: "unprocessable",
    429: "resource_exhausted",
    500: "internal",
}


class ApiError(Exception):
    """An answer other than success; `status` is the HTTP code and `message` the text of its `error` field."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self) -> dict[str, str]:
        """The JSON body of the answer."""
        return {"error": self.message, "status": STATUS_WORDS.get(self.status, "unknown")}


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(400, message)


def not_found(what: str) -> ApiError:
    """404: no such app, machine, lease or key."""
    return ApiError(404, f"{what} not found")


def conflict(message: str) -> ApiError:
    """409: a lease, a version or a name is in the way."""
    return ApiError(409, message)


def failed_precondition(message: str) -> ApiError:
    """412: the machine is not in a state that allows it."""
    return ApiError(412, f"failed_precondition: {message}")


def unprocessable(message: str) -> ApiError:
    """422: understood, and refused."""
    return ApiError(422, message)
