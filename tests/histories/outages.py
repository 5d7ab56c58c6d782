"""S3 in memory, with all the ways in which it fails for a while."""

from __future__ import annotations

from dataclasses import dataclass

from providers.gates.store import StoreRefused
from tests.bluegreen.memory_store import MemoryStore
from tests.histories.steps import StoreAct


@dataclass
class FailingStore(MemoryStore):
    """``refuses``: it answers that nobody may write."""

    refuses: bool = False

    def act(self, act: StoreAct) -> None:
        if act == "up":
            self.down = self.refuses = self.creates_fail = False
            self.loses = None
        elif act == "loses answer":
            self.loses = "answer"
        elif act == "loses request":
            self.loses = "request"
        else:
            self.down = self.down or act == "down"
            self.refuses = self.refuses or act == "refuses"
            self.creates_fail = self.creates_fail or act == "creates unclear"

    async def create(self, key: str, body: bytes) -> bool:
        if self.refuses:
            raise StoreRefused(f"{key}: 403, nobody may write")
        return await super().create(key, body)
