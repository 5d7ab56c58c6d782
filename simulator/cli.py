"""The command line of the simulator."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from simulator.catalog import CatalogError, load_catalog
from simulator.regions import COORDINATES
from simulator.serve import Settings, serve

DESCRIPTION = """\
Fly on one machine: a Machines API, real processes as machines, and the proxy that routes to them.
Needs Linux and no root. Everything that it starts ends with it."""
EPILOG = """\
catalogue, one entry for each image:
  [images."registry.fly.io/rooms:v1"]
  command = ["{python}", "-m", "examples.rooms", "--host", "{private_ip}", "--port", "8080"]
  env = { ROOMS_VERSION = "v1" }            # optional
{python} is this Python, {private_ip} the machine's own loopback address."""


def build_parser() -> argparse.ArgumentParser:
    """All options, with their units."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--catalog",
        type=Path,
        required=True,
        metavar="FILE.toml",
        help="what image references mean (see below)",
    )
    add("--host", default="127.0.0.1", help="address of API and proxy (default: %(default)s)")
    add("--api-port", type=read_port, default=0, help="port of the API (default: any free one)")
    add("--proxy-port", type=read_port, default=0, help="port of the proxy (default: any free one)")
    add("--regions", type=read_regions, default=tuple(COORDINATES), metavar="CODES",
        help="comma list of regions; the first is the proxy's own (default: all of Fly's)")  # fmt: skip
    add("--token", default="local", help="bearer token that callers must show (default: %(default)s)")
    add("--proxy-delay", type=read_seconds, default=0.2, metavar="SECONDS",
        help="after which the proxy learns of a change (default: %(default)s)")  # fmt: skip
    add("--hold", type=read_seconds, default=5.0, metavar="SECONDS",
        help="how long the proxy holds a request with nowhere to go (default: %(default)s)")  # fmt: skip
    add("--history", type=Path, metavar="FILE.jsonl", help="append everything that happens to this file")
    add("--logs", type=Path, metavar="FOLDER", help="write each machine's output to a file in this folder")
    add(
        "--ready-file", type=Path, metavar="FILE.json", help="write the addresses to this file once all is up"
    )
    add(
        "--rate-limits",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Fly's rate limits (default: on)",
    )
    return parser


def read_port(text: str) -> int:
    """A TCP port, 0 for any."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 0 and 65535")
    return int(text)


def read_seconds(text: str) -> float:
    """A number of seconds between 0 and 3600."""
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600 seconds")
    return seconds


def read_regions(text: str) -> tuple[str, ...]:
    """A comma list of Fly's region codes."""
    codes = tuple(dict.fromkeys(code.strip() for code in text.split(",")))
    for code in codes:
        if code not in COORDINATES:
            raise argparse.ArgumentTypeError(f"{code!r} is no region; known: {', '.join(COORDINATES)}")
    return codes


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 0 after that, 2 for a wrong command line or catalogue."""
    options = build_parser().parse_args(argv)
    if sys.platform != "linux":
        return _complain("needs Linux: every machine has its own 127.x.y.z address and dies with its parent")
    try:
        settings = build_settings(options)
        anyio.run(serve, settings)
    except (CatalogError, OSError) as error:
        return _complain(str(error))
    return 0


def build_settings(options: argparse.Namespace) -> Settings:
    """What the command line asks for; CatalogError when its catalogue cannot be used."""
    if options.logs is not None:
        options.logs.mkdir(parents=True, exist_ok=True)
    return Settings(
        catalog=load_catalog(options.catalog),
        host=options.host,
        api_port=options.api_port,
        proxy_port=options.proxy_port,
        regions=options.regions,
        token=options.token,
        proxy_delay=options.proxy_delay,
        hold=options.hold,
        history=options.history,
        logs=options.logs,
        ready_file=options.ready_file,
        rate_limits=options.rate_limits,
    )


def _complain(text: str) -> int:
    print(f"simulator: {text}", file=sys.stderr)
    return 2
