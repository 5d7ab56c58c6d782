"""The simulator as one process: world, API and proxy, from the first socket to the last child."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import uvicorn
from anyio.abc import Listener, SocketAttribute, SocketStream, TaskGroup
from starlette.applications import Starlette

import simulator.proxy
from simulator.catalog import Entry
from simulator.clock import Clock
from simulator.history import History, open_history
from simulator.http import create_app
from simulator.runtime import Boot, Exit
from simulator.runtime_process import ProcessRuntime
from simulator.world import World


@dataclass(frozen=True)
class Settings:
    """Everything that the command line can set; times in seconds, port 0 for any free one."""

    catalog: Mapping[str, Entry]
    host: str
    api_port: int
    proxy_port: int
    regions: tuple[str, ...]
    token: str = field(repr=False)
    proxy_delay: float
    hold: float
    history: Path | None
    logs: Path | None
    ready_file: Path | None
    rate_limits: bool


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: ending is `serve`'s business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then end everything that was started."""
    clock = Clock()
    with (
        open_history(clock, settings.history) as history,
        anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
    ):
        async with (
            World(
                runtime=ProcessRuntime(settings.catalog, logs=settings.logs, on_crash=report_crash),
                clock=clock,
                regions=settings.regions,
                proxy_delay=settings.proxy_delay,
                limits=settings.rate_limits,
                history=history,
            ) as world,
            anyio.create_task_group() as tasks,
        ):
            await _open(settings, world, history, tasks)
            async for _ in signals:
                break
            tasks.cancel_scope.cancel()


async def _open(settings: Settings, world: World, history: History, tasks: TaskGroup) -> None:
    api = socket.create_server((settings.host, settings.api_port), backlog=2048)
    # What it accepts inherits this. asyncio sets it only on sockets with a protocol number, and create_server's have
    # none: an answer in two segments then waits 40 ms for the client's delayed ACK (measured).
    api.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    proxy = await anyio.create_tcp_listener(local_host=settings.host, local_port=settings.proxy_port)
    tasks.start_soon(_serve_api, create_app(world, settings.token), api)
    tasks.start_soon(_serve_proxy, proxy, world, history, settings.hold)
    announce(settings, api.getsockname()[1], proxy.extra(SocketAttribute.local_port))  # noqa: S610 - no Django


async def _serve_api(app: Starlette, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", ws="none", server_header=False
    )
    with listener:
        await Server(config).serve(sockets=[listener])


async def _serve_proxy(listener: Listener[SocketStream], world: World, history: History, hold: float) -> None:
    await simulator.proxy.serve(listener, world.routes, history, hold=hold)


def announce(settings: Settings, api_port: int, proxy_port: int) -> None:
    """Print the addresses, and write them to the ready file in one move."""
    api, proxy = f"http://{settings.host}:{api_port}", f"http://{settings.host}:{proxy_port}"
    print(
        f"Machines API  {api}/v1  (FLY_FLAPS_BASE_URL={api})",
        f"Proxy         {proxy}  (Host: <app>.fly.dev)",
        sep="\n",
    )
    sys.stdout.flush()
    if settings.ready_file is not None:
        history = None if settings.history is None else str(settings.history)
        content = {"api": api, "proxy": proxy, "pid": os.getpid(), "history": history}
        partial = settings.ready_file.with_name(f".{settings.ready_file.name}.{os.getpid()}")
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
        partial.replace(settings.ready_file)


def report_crash(boot: Boot, ended: Exit, tail: str) -> None:
    """Tell the person at the terminal what a machine said last."""
    lines = "".join(f"\n    {line}" for line in tail.splitlines()[-5:])
    print(
        f"machine {boot.name} ({boot.machine_id}) ended with exit code {ended.code}{lines}",
        file=sys.stderr,
        flush=True,
    )
