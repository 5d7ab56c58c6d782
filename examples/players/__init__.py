"""Players who edit shared rooms and reconnect, and the audit of what they were promised.

async with Players("http://127.0.0.1:8000", "rooms.fly.dev", count=50, rooms=12) as players:
    ...                                  # deploy meanwhile; players.counters says how they fare
    log = await players.stop()
result = audit(log, await read_rooms(players.url, players.host, players.rooms))
"""

from examples.players.audit import Audit, Gap, TwoOwners, audit
from examples.players.crowd import Players
from examples.players.log import Ack, Counters, Log, Session, Wait
from examples.players.reader import RoomsUnread, read_rooms

__all__ = [
    "Ack",
    "Audit",
    "Counters",
    "Gap",
    "Log",
    "Players",
    "RoomsUnread",
    "Session",
    "TwoOwners",
    "Wait",
    "audit",
    "read_rooms",
]
