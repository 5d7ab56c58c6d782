"""Promises of the proxy's pure parts."""

from collections.abc import Callable, Sequence

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.proxy.head import Origin, build_refusal, build_request, build_response, read_ask
from simulator.proxy.route import (
    MAX_REPLAYS,
    Ask,
    Refusal,
    Replay,
    Way,
    choose_app,
    format_replay_source,
    parse_replay,
    start_way,
)

ORIGIN = Origin(client_ip="10.0.0.9", request_id="r1")


def get(*headers: tuple[str, str], target: str = "/", host: str = "rooms.fly.dev") -> h11.Request:
    """A GET request."""
    return h11.Request(method="GET", target=target, headers=[("host", host), *headers])


def end(work: Callable[[], object]) -> object:
    """What comes of it: its result, or the status of a refusal."""
    try:
        return work()
    except Refusal as refusal:
        return refusal.status


def send_on(request: h11.Request, *, length: int | None = 0, source: str | None = None) -> dict[bytes, bytes]:
    """The headers that a machine gets for a request."""
    ask = read_ask(request, ["rooms"], "ams")
    return dict(build_request(request, ask, ORIGIN, length=length, source=source).headers)


@pytest.mark.parametrize(
    ("host", "apps", "app"),
    [
        ("rooms.fly.dev", ["rooms", "other"], "rooms"),
        ("rooms.localhost:4711", ["rooms", "other"], "rooms"),
        ("ROOMS.Localhost.", ["rooms", "other"], "rooms"),
        ("127.0.0.1:80", ["rooms"], "rooms"),
        ("[::1]:80", ["rooms"], "rooms"),
        ("", ["rooms"], "rooms"),
    ],
)
def test_host_chooses_the_app(host: str, apps: Sequence[str], app: str) -> None:
    """A host names its app whatever its port and case; a foreign host means the only app there is."""
    assert choose_app(host, apps) == app


@pytest.mark.parametrize(
    ("host", "apps"), [("other.fly.dev", ["rooms"]), ("example.com", ["rooms", "games"]), ("x.localhost", [])]
)
def test_unknown_host_is_told_the_apps(host: str, apps: Sequence[str]) -> None:
    """A host that names no app is refused with 404 and the names that would work."""
    with pytest.raises(Refusal) as refused:
        choose_app(host, apps)
    assert refused.value.status == 404
    assert all(app in refused.value.text for app in apps)


@settings(deadline=None)
@given(host=st.text(), apps=st.lists(st.sampled_from(["rooms", "games"]), unique=True))
def test_choosing_an_app_is_total(host: str, apps: list[str]) -> None:
    """Any host ends in a known app or in a 404."""
    assert end(lambda: choose_app(host, apps)) in (404, *apps)


@pytest.mark.parametrize(
    ("value", "replay"),
    [
        ("instance=abc", Replay(instance="abc")),
        ("region=iad", Replay(region="iad")),
        (" Instance = abc ; state=a=b ", Replay(instance="abc", state="a=b")),
        ("region=iad;instance=abc;unknown=1", Replay(instance="abc", region="iad")),
    ],
)
def test_replay_orders_are_read(value: str, replay: Replay) -> None:
    """A fly-replay header is a list of pairs, in any order, and a state may contain an equals sign."""
    assert parse_replay(value) == replay


@settings(deadline=None)
@given(value=st.text())
def test_reading_a_replay_order_is_total(value: str) -> None:
    """Any fly-replay header is an order to somewhere, or a 502."""
    order = end(lambda: parse_replay(value))
    assert order == 502 or (isinstance(order, Replay) and (order.instance or order.region))


def test_replays_are_bounded() -> None:
    """Machines that send a request in circles end in a 502."""
    way = start_way(Ask(app="rooms", edge="ams", path="/"))
    for _ in range(MAX_REPLAYS):
        way = way.follow(Replay(instance="a"), "instance=b")
    with pytest.raises(Refusal) as refused:
        way.follow(Replay(instance="a"), "instance=b")
    assert refused.value.status == 502


def test_replay_keeps_failed_machines_out() -> None:
    """A machine that failed is not asked again because another one said so."""
    assert Way().avoid("a").follow(Replay(instance="b"), "s").exclude == {"a"}


def test_replay_source_tells_who_when_and_the_state() -> None:
    """The next machine learns which machine replayed, when in microseconds, and the order's state."""
    source = format_replay_source(Replay(instance="b", state="x=1"), "a", "ams", 1.5)
    assert source == "instance=a;region=ams;t=1500000;state=x=1"


def test_request_headers_of_the_proxy_are_its_own() -> None:
    """A client cannot pretend an edge region, an address, a request id or a replay."""
    own = ("fly-client-ip", "fly-region", "fly-request-id", "fly-replay-src", "x-forwarded-proto")
    headers = send_on(get(*((name, "forged") for name in own), ("x-sim-edge", "iad")))
    assert b"forged" not in headers.values()
    assert headers[b"fly-region"] == b"iad"
    assert headers[b"fly-client-ip"] == headers[b"x-forwarded-for"] == b"10.0.0.9"
    assert b"x-sim-edge" not in headers


def test_forwarded_for_is_appended() -> None:
    """Proxies before this one stay known."""
    assert send_on(get(("x-forwarded-for", "1.2.3.4")))[b"x-forwarded-for"] == b"1.2.3.4, 10.0.0.9"


def test_hop_by_hop_headers_stay_behind() -> None:
    """What concerns one connection only is not passed on, and the host always is."""
    request = get(
        ("connection", "keep-alive, X-Mine, Host"),
        ("x-mine", "1"),
        ("te", "trailers"),
        ("accept", "text/html"),
    )
    headers = send_on(request)
    assert headers.keys().isdisjoint({b"x-mine", b"te"})
    assert headers[b"connection"] == b"close"
    assert headers[b"accept"] == b"text/html"
    assert headers[b"host"] == b"rooms.fly.dev"


def test_other_upgrades_are_dropped() -> None:
    """Only WebSockets are upgraded: HTTP/2 over clear text is not."""
    headers = send_on(get(("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")))
    assert b"upgrade" not in headers


@pytest.mark.parametrize(
    ("declared", "length", "framing"),
    [
        (None, 0, None),
        (("content-length", "5"), 5, (b"content-length", b"5")),
        (("content-length", "5"), None, (b"content-length", b"5")),
        (("transfer-encoding", "chunked"), 7, (b"content-length", b"7")),
        (("transfer-encoding", "chunked"), None, (b"transfer-encoding", b"chunked")),
    ],
)
def test_bodies_are_framed_anew(
    declared: tuple[str, str] | None, length: int | None, framing: tuple[bytes, bytes] | None
) -> None:
    """A machine gets one framing only, and a length as soon as one is known."""
    headers = send_on(get(*([declared] if declared else [])), length=length)
    found = [pair for pair in headers.items() if pair[0] in (b"content-length", b"transfer-encoding")]
    assert found == ([framing] if framing else [])


def test_absolute_target_wins_over_host() -> None:
    """A client that uses the port as an HTTP proxy names the host in the target."""
    request = get(target="http://rooms.fly.dev/a?b=1", host="elsewhere.fly.dev")
    assert read_ask(request, ["rooms"], "ams").path == "/a"
    sent = build_request(request, read_ask(request, ["rooms"], "ams"), ORIGIN, length=0, source=None)
    assert (sent.target, dict(sent.headers)[b"host"]) == (b"/a?b=1", b"rooms.fly.dev")


def test_replay_never_reaches_the_client() -> None:
    """The proxy's own headers in an answer are replaced, whatever the app set."""
    response = h11.Response(
        status_code=200,
        headers=[("fly-replay", "instance=a"), ("fly-request-id", "app's"), ("via", "1.1 app")],
    )
    headers = build_response(response, "r1", last=False).headers
    assert list(headers) == [(b"fly-request-id", b"r1"), (b"via", b"1.1 app"), (b"via", b"1.1 fly.io")]


def test_refusal_is_text_with_a_request_id() -> None:
    """The proxy's own answers are plain text and carry the request id."""
    response, body = build_refusal(Refusal(503, "nobody is there"), "r1", last=True)
    assert (response.status_code, body) == (503, b"nobody is there\n")
    assert dict(response.headers)[b"fly-request-id"] == b"r1"
    assert dict(response.headers)[b"connection"] == b"close"
