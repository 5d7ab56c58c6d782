"""Where the players write down what they see, while it happens."""

from __future__ import annotations

import asyncio

from examples.players.log import Ack, Session


class Notes:
    """Shared by all players of one event loop; `changed` is set at every acknowledgement, open and close."""

    def __init__(self) -> None:
        self.acks: list[Ack] = []
        self.sessions: list[Session] = []
        self.connected = 0
        self.reconnects = 0
        self.changed = asyncio.Event()

    def add_ack(self, ack: Ack) -> None:
        """An edit was acknowledged."""
        self.acks.append(ack)
        self.changed.set()

    def open_session(self, number: int) -> None:
        """A player was greeted, over its `number`-th connection."""
        self.connected += 1
        self.reconnects += number > 1
        self.changed.set()

    def close_session(self, session: Session) -> None:
        """A connection that was greeted is over."""
        self.connected -= 1
        self.sessions.append(session)
        self.changed.set()
