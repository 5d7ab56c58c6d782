"""Multiplayer rooms: in memory, over WebSockets, one owning machine a room, saved to S3.

    python -m examples.rooms --host 127.0.0.1 --port 8080

A room's edits live in the memory of the one machine that owns the room. Ownership inside a release is
an S3 object created once (`store`); a connection that lands on another machine is answered with
`fly-replay: instance=<owner>`, which Fly's proxy follows (`endpoints`). Dirty rooms are saved every few
seconds, and on SIGTERM everything is: take no more edits, close the sockets with 1012, save, write the
manifest that proves it, exit 0 (`keeper`).
"""
