"""One deployer at a time: a lease on every machine of ours, taken before the first change and shown with each write.

Fly refuses a write to a leased machine without its nonce, so a run that was suspended, and lost its leases to another,
cannot change what the other works on (FLY-API; flyctl leases blue in the same way). Leases are short and renewed: a
killed run is in nobody's way for long (INCIDENTS 10, 18). Metadata, secrets and the app itself are not fenced by
leases: before each such write the run looks at its own clocks, and sends nothing once its leases may have run out.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio

from providers.bluegreen.actions.together import each
from providers.bluegreen.failures import NotYet
from providers.bluegreen.holder import Holder
from providers.bluegreen.model import MachineSeen
from providers.bluegreen.polling import polling
from providers.fly import Ambiguous, Conflict, FlyError, Lapsed, Lease, Leases, NotFound, RateLimited
from providers.fly.errors import Call
from providers.fly.leases import ACTIONS, NONCE_HEADER
from providers.fly.retries import borne
from providers.gates.output import clean

LEASE_S = 15.0
"""flyctl's own are 13 s. With longer ones the run after a killed one waits longer; shorter ones lapse in any outage."""
LEASED_AT_ONCE = 10
"""With more machines leases are longer in proportion: a create a second makes a deploy longer in proportion too, and
calls have to grow linearly with machines.
"""
RENEWALS = 3
"""How often a lease is renewed in its time: two renewals in a row may fail."""
MARGIN_S = 1.0
"""How long before its end a lease counts as lapsed: what is sent then may arrive behind its end."""
NOT_WORTH_WAITING = 4
"""A lease that ends later than this many of ours is no dead run's: somebody took it for a purpose of their own."""
TAKE_EVERY_S = 1.0
RELEASE_WITHIN_S = 5.0
TEXT_CAP = 200
_LAPSED = "this run's lease was not renewed in time, so another run may have taken over"


class Held(Exception):
    """Somebody else deploys. ``str()`` names who, since when, and on which machine."""


@dataclass(frozen=True)
class _Held:
    """One lease of ours: its nonce, and until when it holds by both clocks (a suspended laptop stops the monotonic)."""

    nonce: str = field(repr=False)
    until: float
    until_wall: float


@dataclass
class Lock:
    """The leases of one run. ``lease_s``: for how long each of a few is taken, in seconds."""

    leases: Leases
    holder: Holder
    lease_s: float
    say: Callable[[str], None]
    now: Callable[[], float] = time.time
    _held: dict[str, _Held] = field(default_factory=dict)
    _without: set[str] = field(default_factory=set)

    @property
    def ttl_s(self) -> float:
        """For how long a lease is taken, or renewed, now."""
        return self.lease_s * max(1.0, len(self._held) / LEASED_AT_ONCE)

    @property
    def empty(self) -> bool:
        """Whether nothing was ever leased, as on a first deploy."""
        return not self._held

    @property
    def lapsed(self) -> bool:
        """Whether every lease has run out: then another run may have been there."""
        return bool(self._held) and not any(map(self._valid, self._held))

    def headers(self, call: Call, identifier: str) -> Mapping[str, str]:
        """What a write has to show. Raises ``Lapsed`` where it must not be sent."""
        if call.action in ACTIONS:
            return {}
        if identifier in self._held and not self._valid(identifier):
            raise Lapsed(call, _LAPSED)
        self.must_hold(call)
        held = self._held.get(identifier)
        return {NONCE_HEADER: held.nonce} if held else {}

    def must_hold(self, call: Call) -> None:
        """Before what no lease fences. Raises ``Lapsed`` where another run may have taken over."""
        if self.lapsed:
            raise Lapsed(call, _LAPSED)

    def covers(self, machines: Iterable[MachineSeen]) -> bool:
        return all(self._valid(machine.id) or self._cannot_be_leased(machine) for machine in machines)

    def _cannot_be_leased(self, machine: MachineSeen) -> bool:
        """Until its host answers again."""
        return machine.id in self._without and not machine.readable

    async def cover(self, machines: Sequence[MachineSeen]) -> None:
        """Lease what is not leased yet. Raises ``Held`` when somebody else holds one, and is alive.

        The oldest machine comes first and alone, so that of two who want the same machines one gets them all.
        """
        missing = [machine for machine in machines if not self.covers([machine])]
        missing.sort(key=lambda machine: (machine.release, machine.name))
        for batch in (missing[:1], missing[1:]):
            try:
                await each(batch, self._take)
            except ExceptionGroup as group:
                # What else went wrong is of no interest once somebody holds one.
                held = next((error for error in group.exceptions if isinstance(error, Held)), None)
                raise held or group from None

    async def _take(self, machine: MachineSeen) -> None:
        """One machine that cannot be reached is left alone: what cannot be leased cannot be changed either.

        Not one that was refused because somebody holds it: that run may be at work on the others.
        """
        contest = _Contest(self, machine)
        try:
            async for attempt in polling(first_s=TAKE_EVERY_S):
                with attempt:
                    await self._try_to_take(machine, contest)
        except FlyError:
            if contest.refused or machine.readable or await contest.held():
                raise
            self._without.add(machine.id)

    async def _try_to_take(self, machine: MachineSeen, contest: _Contest) -> None:
        if self._valid(machine.id):
            return  # renewed after all
        clocks, ttl_s = self._clocks(), self.ttl_s
        try:
            async for attempt in borne(NotFound):
                with attempt:
                    nonce = await self.leases.take(machine.id, ttl_s, str(self.holder))
        except Conflict:
            contest.refused = True
            await contest.look()
            raise NotYet from None
        except RateLimited:
            raise NotYet from None  # of those who want the same machine each keeps only its own rate
        except Ambiguous:
            raise NotYet from None  # if it was granted, nobody knows the nonce, and it runs out
        except NotFound:
            self._without.add(machine.id)
            return
        self._keep(machine.id, nonce, clocks, ttl_s)

    async def adopt(self, machine_id: str, nonce: str) -> None:
        """A lease that was granted with the machine's creation: since when is not known, and it does not say whose."""
        if nonce:
            self._held[machine_id] = _Held(nonce, 0.0, 0.0)
            await self._renew(machine_id)

    def forget(self, machine_id: str) -> None:
        """The machine is gone, and its lease with it."""
        self._held.pop(machine_id, None)

    @contextlib.asynccontextmanager
    async def given_up(self, machine: MachineSeen) -> AsyncIterator[None]:
        """Without a lease on this machine for a while: Fly refuses ``exec`` while there is one, its holder's too."""
        held = self._held.pop(machine.id, None)
        if held:
            with contextlib.suppress(NotFound):
                await self.leases.release(machine.id, held.nonce)
        yield
        if held:
            await self._take(machine)

    async def keep(self) -> None:
        """Renew every lease in time, for ever."""
        while True:
            with anyio.move_on_after(self.ttl_s / RENEWALS):
                await anyio.sleep_forever()
            await each([*self._held], self._renew)

    async def doubt(self) -> bool:
        """Ask Fly whether the leases are still ours; a 409 may have other reasons. True where one was lost."""
        await each([*self._held], self._renew)
        return not all(map(self._valid, self._held))

    async def _renew(self, machine_id: str) -> None:
        held, clocks, ttl_s = self._held.get(machine_id), self._clocks(), self.ttl_s
        if held is None:
            return
        with anyio.move_on_after(ttl_s / RENEWALS):
            try:
                await self.leases.renew(machine_id, held.nonce, ttl_s, str(self.holder))
            except (Conflict, NotFound):
                self._lose(
                    machine_id, held
                )  # who removed the machine has taken over, or will be found to have not
            except FlyError:
                return  # the next renewal comes before its end
            else:
                if self._held.get(machine_id) == held:  # else it was given up meanwhile
                    self._keep(machine_id, held.nonce, clocks, ttl_s)

    def _lose(self, machine_id: str, held: _Held) -> None:
        if self._held.get(machine_id) == held:
            self._held[machine_id] = _Held(held.nonce, 0.0, 0.0)

    async def release(self) -> None:
        """Give back what is held. What cannot be given back runs out by itself."""

        async def one(item: tuple[str, _Held]) -> None:
            machine_id, held = item
            with contextlib.suppress(FlyError):
                await self.leases.release(machine_id, held.nonce)

        held = [(key, held) for key, held in self._held.items() if self._valid(key)]
        with anyio.move_on_after(RELEASE_WITHIN_S, shield=True):
            await each(held, one)
        self._held.clear()

    def _clocks(self) -> tuple[float, float]:
        """Both clocks, to be read before a lease is asked for."""
        return anyio.current_time(), self.now()

    def _keep(self, machine_id: str, nonce: str, clocks: tuple[float, float], ttl_s: float) -> None:
        lasts = ttl_s - min(MARGIN_S, ttl_s / 4)
        self._held[machine_id] = _Held(nonce, clocks[0] + lasts, clocks[1] + lasts)

    def _valid(self, machine_id: str) -> bool:
        held, (now, wall) = self._held.get(machine_id), self._clocks()
        return held is not None and now < held.until and wall < held.until_wall


@dataclass
class _Contest:
    """Another's lease on a machine that this run wants: is who holds it alive?"""

    lock: Lock
    machine: MachineSeen
    seen: Lease | None = None
    refused: bool = False

    async def look(self) -> None:
        """Raises ``Held`` when the lease was renewed, or ends so late that nobody wants to wait for it."""
        try:
            lease = await self.lock.leases.get(self.machine.id)
        except NotFound:
            return
        if self._ours(lease):
            return  # our own, of which the answer was lost
        if self.seen is None:
            self.seen = lease
            self.lock.say(f"{self._told(lease)}: waiting to see whether that run is alive")
        worth = lease.expires_at - self.lock.now() <= NOT_WORTH_WAITING * self.lock.ttl_s
        if not worth or lease.expires_at > self.seen.expires_at:
            raise Held(f"{self._told(lease)}, and that run is alive" if worth else self._told(lease))

    async def held(self) -> bool:
        """Whether another's lease is known to be on the machine."""
        try:
            lease = await self.lock.leases.get(self.machine.id)
        except FlyError:
            return False
        return not self._ours(lease)

    def _ours(self, lease: Lease) -> bool:
        return str(self.lock.holder) in lease.description

    def _told(self, lease: Lease) -> str:
        holder = clean(lease.description or lease.owner).strip()[:TEXT_CAP] or "somebody"
        until = datetime.fromtimestamp(min(max(lease.expires_at, 0), 2**32), UTC).strftime("%H:%M:%SZ")
        return f"machine {self.machine.id} ({self.machine.name}) is held by {holder}, leased until {until}"
