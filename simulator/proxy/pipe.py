"""Two-way bytes between a client and a machine, after a WebSocket upgrade. Nothing is parsed."""

from contextlib import suppress
from enum import Enum, auto

import anyio
from anyio.abc import ByteStream, SocketStream

READ_BYTES = 262_144
# After one side has ended, the other has this long to end too.
LINGER_SECONDS = 10.0

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)


class End(Enum):
    """How copying in one direction ended."""

    EOF = auto()
    SOURCE_BROKEN = auto()
    SINK_BROKEN = auto()


async def pipe(client: SocketStream, machine: SocketStream, *, sent: bytes, answered: bytes) -> None:
    """Copy both ways until both sides have ended; `sent` and `answered` have been read already.

    An end of file is passed on, and the other direction goes on for at most `LINGER_SECONDS`. Whatever the
    machine wrote before it ended, such as a WebSocket's close frame, reaches the client before that end does.
    """
    async with anyio.create_task_group() as tasks:

        def limit() -> None:
            tasks.cancel_scope.deadline = anyio.current_time() + LINGER_SECONDS

        async def copy_up() -> None:
            end = await _copy(client, machine, sent)
            if end is End.SINK_BROKEN:
                # The machine has died: closing now, with the client's bytes unread, would reset the client's
                # connection and could destroy what the machine wrote last. So read on until the client ends.
                await drain(client)
            elif end is End.SOURCE_BROKEN:
                tasks.cancel_scope.cancel()
            await end_writing(machine)
            limit()

        async def copy_down() -> None:
            if await _copy(machine, client, answered) is End.SINK_BROKEN:
                tasks.cancel_scope.cancel()
            await end_writing(client)
            limit()

        tasks.start_soon(copy_up)
        tasks.start_soon(copy_down)


async def drain(stream: ByteStream) -> None:
    """Read and drop whatever a peer still sends, until it ends."""
    with suppress(anyio.EndOfStream, *GONE):
        while True:
            await stream.receive(READ_BYTES)


async def end_writing(stream: ByteStream) -> None:
    """Tell a peer that nothing more will come."""
    with suppress(OSError, *GONE):  # OSError: of a socket that was reset, on trio
        await stream.send_eof()


async def _copy(source: ByteStream, sink: ByteStream, data: bytes) -> End:
    try:
        while True:
            if data:
                await sink.send(data)
            try:
                data = await source.receive(READ_BYTES)
            except anyio.EndOfStream:
                return End.EOF
            except GONE:
                return End.SOURCE_BROKEN
    except GONE:
        return End.SINK_BROKEN
