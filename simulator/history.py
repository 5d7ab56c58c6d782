"""The append-only history of everything that happened, in memory and as JSON lines."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from simulator.clock import Clock

Record = dict[str, Any]


class History:
    """Numbered, timed records. Kinds and their fields: `request`, `machine`, `event`, `routes`, `route`, `closed`."""

    def __init__(self, clock: Clock, file: TextIO | None = None) -> None:
        """Every record is also written to `file`, one line each, at once."""
        self._clock = clock
        self._file = file
        self._records: list[Record] = []

    def add(self, kind: str, **fields: Any) -> Record:
        """Append one record; `n` counts from 1 and `t` is epoch seconds."""
        record = {"n": len(self._records) + 1, "t": round(self._clock.now(), 6), "kind": kind, **fields}
        self._records.append(record)
        if self._file is not None:
            self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
            self._file.flush()
        return record

    def read(self, after: int = 0, kind: str | None = None) -> list[Record]:
        """Records with a number above `after`, of one kind or of all."""
        return [record for record in self._records[max(0, after) :] if kind in (None, record["kind"])]


@contextmanager
def open_history(clock: Clock, path: Path | None) -> Iterator[History]:
    """A history that appends to the file at `path`, or lives in memory alone when None."""
    if path is None:
        yield History(clock)
        return
    with path.open("a", encoding="utf-8") as file:
        yield History(clock, file)
