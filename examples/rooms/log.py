"""One JSON object a line on stderr."""

from __future__ import annotations

import json
import logging
import sys
from typing import Final

_logger: Final = logging.getLogger("rooms")


class OneLine(logging.Formatter):
    """Formats a record as one line of JSON: at (epoch seconds), level, event, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = repr(record.exc_info[1])
        return json.dumps(line)


def start_log() -> None:
    """Send everything from INFO up to stderr; a reader that has gone away is no reason to fail."""
    # A machine whose log pipe broke must still save its rooms.
    logging.raiseExceptions = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # The libraries' own INFO lines are one per request; their errors are kept.
    for library in ("websockets", "botocore", "boto3", "urllib3", "asyncio", "stamina", "uvicorn"):
        logging.getLogger(library).setLevel(logging.ERROR)


def say(event: str, **fields: object) -> None:
    """Log one event."""
    _logger.info(event, extra={"fields": fields})


def warn(event: str, **fields: object) -> None:
    """Log one event that somebody should look at."""
    _logger.warning(event, extra={"fields": fields})
