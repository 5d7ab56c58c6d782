"""Which app a request is for, what its client asked for, and where it may go next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

APP_DOMAINS = (".fly.dev", ".localhost")
MAX_REPLAYS = 5


class Ending(Exception):
    """An early end of a request's work that the proxy knows how to treat; all else is a fault of its own."""


class Refusal(Ending):
    """A request that the proxy answers by itself: an HTTP `status` and a `text` for a person."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Ask:
    """What a client asked for, as far as routing goes. `path` has no query: it may hold secrets."""

    app: str
    edge: str
    path: str
    prefer: str | None = None
    instance: str | None = None
    websocket: bool = False


@dataclass(frozen=True)
class Replay:
    """An app's order to bring its request elsewhere: `fly-replay: instance=…;region=…;state=…`."""

    instance: str | None = None
    region: str | None = None
    state: str | None = None


@dataclass(frozen=True)
class Way:
    """Where one request may go next; `source` is the `fly-replay-src` that the next machine gets."""

    prefer: str | None = None
    instance: str | None = None
    exclude: frozenset[str] = field(default=frozenset())
    replays: int = 0
    source: str | None = None

    def avoid(self, machine_id: str) -> "Way":
        """The same way past a machine that failed."""
        return replace(self, exclude=self.exclude | {machine_id})

    def follow(self, order: Replay, source: str) -> "Way":
        """The way that an app ordered. Raises Refusal 502 when machines send a request in circles."""
        if self.replays == MAX_REPLAYS:
            raise Refusal(502, f"the app replayed this request more than {MAX_REPLAYS} times")
        return Way(order.region, order.instance, self.exclude, self.replays + 1, source)


def start_way(ask: Ask) -> Way:
    """The way of a request that no machine has seen."""
    return Way(prefer=ask.prefer, instance=ask.instance)


def choose_app(host: str, apps: Sequence[str]) -> str:
    """The app that a Host header (port and case ignored) names; any foreign host means the only app.

    Raises Refusal 404, which lists the apps.
    """
    name = _strip_port(host).rstrip(".").lower()
    label = next((name.removesuffix(domain) for domain in APP_DOMAINS if name.endswith(domain)), None)
    if label is None and len(apps) == 1:
        return apps[0]
    if label is not None and label in apps:
        return label
    known = ", ".join(sorted(apps)) or "none yet"
    raise Refusal(404, f"no app for host {name!r}; ask for <app>.localhost. Apps: {known}")


def parse_replay(value: str) -> Replay:
    """Read a `fly-replay` response header. Raises Refusal 502 when it names no instance and no region."""
    pairs = (part.partition("=") for part in value.split(";"))
    fields = {name.strip().lower(): text.strip() for name, _, text in pairs}
    order = Replay(fields.get("instance") or None, fields.get("region") or None, fields.get("state") or None)
    if order.instance is None and order.region is None:
        raise Refusal(
            502, "the app answered with a fly-replay header that names neither an instance nor a region"
        )
    return order


def format_replay_source(order: Replay, machine_id: str, region: str, now: float) -> str:
    """The `fly-replay-src` request header: who replayed, when (`now`: epoch seconds), the order's state."""
    source = f"instance={machine_id};region={region};t={int(now * 1_000_000)}"
    return source if order.state is None else f"{source};state={order.state}"


def _strip_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.partition(":")[0]
