"""Multiplayer rooms: in memory, over WebSockets, one owning machine a room, saved to S3.

    python -m examples.rooms --host 127.0.0.1 --port 8080 --private-port 8081

A room's edits live in the memory of the one machine that claimed the room. A claim is an S3 object created once per
release (`s3`); a connection that lands on another machine is answered with `fly-replay: instance=<machine>`, which
Fly's proxy follows (`endpoints`). Dirty rooms are saved every few seconds (`keeper`), each time under a new key
(`keys`).

The app keeps the handover contract (docs/handover.md). Told to drain, by a request to its private port (`private`),
by SIGUSR1 or by SIGTERM, it takes no more edits, closes the sockets with 1012 (`term`), saves, and writes the manifest
that proves it; after a request or SIGUSR1 it stays, and may be told to resume (`orders`). It opens no room before its
release owns the state, and writes none after (`fence`). A new version can be asked whether it can read all that was
saved (`rehearsal`).
"""
