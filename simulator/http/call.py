"""One call of the API: what handlers read from it, and how they answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.bodies import parse_body
from simulator.config import Model
from simulator.errors import bad_request, not_found
from simulator.leases import check_lease
from simulator.model import Machine
from simulator.world import World

M = TypeVar("M", bound=Model)
NONCE_HEADER = "fly-machine-lease-nonce"


@dataclass(frozen=True)
class Call:
    """A request whose body, at most 1 MiB, has been read."""

    world: World
    request: Request
    body: bytes

    @property
    def app(self) -> str:
        """The app's name from the path."""
        name: str = self.request.path_params["app"]
        return name

    @property
    def nonce(self) -> str | None:
        """The lease nonce that the client shows."""
        return self.request.headers.get(NONCE_HEADER) or None

    def parse(self, kind: type[M]) -> M:
        """The checked body, or 400."""
        return parse_body(kind, self.body)[0]

    def parse_with_raw(self, kind: type[M]) -> tuple[M, dict[str, Any]]:
        """The checked body and the object as it came, or 400."""
        return parse_body(kind, self.body)

    def machine(self) -> Machine:
        """The machine of the path, destroyed or not, or 404."""
        return self.world.find_machine(self.app, self.request.path_params["machine_id"])

    def living(self) -> Machine:
        """The machine of the path, or 404, also when it has been destroyed."""
        machine = self.machine()
        if machine.state == "destroyed":
            raise not_found(f"machine '{machine.id}' has been destroyed:")
        return machine

    def writable(self) -> Machine:
        """The machine of the path if leases allow this caller to change it, else 409."""
        machine = self.living()
        check_lease(self.world, machine, self.nonce)
        return machine

    def query(self, name: str) -> str | None:
        """One query parameter; empty counts as absent."""
        return self.request.query_params.get(name) or None

    def flag(self, name: str) -> bool:
        """A boolean query parameter, or 400."""
        text = (self.query(name) or "false").lower()
        if text not in ("true", "false", "1", "0"):
            raise bad_request(f"{name} must be true or false")
        return text in ("true", "1")

    def words(self, name: str) -> tuple[str, ...]:
        """A query parameter that may be repeated or hold a comma list."""
        values = self.request.query_params.getlist(name)
        return tuple(word for value in values for word in value.split(",") if word)


Handler = Callable[[Call], Awaitable[Response]]


def answer(content: Any, status: int = 200) -> Response:
    """JSON."""
    return JSONResponse(content, status_code=status)


def answer_ok() -> Response:
    """What most actions answer."""
    return answer({"ok": True})
