"""Ten thousand acknowledged edits over deploy after deploy, through outages of S3 and proofs that fail: none is lost.

And the negative control in small: Fly's own order, with nothing that keeps two releases from owning a room at once.
"""

from __future__ import annotations

import faulthandler
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anyio
import pytest
from anyio.abc import TaskGroup

from examples.players import Audit
from providers.bluegreen.outcome import Ending
from tests.handover.kit import BY_REQUEST, TWO_REGIONS, V1, V2, Deployer, more_edits

pytestmark = [pytest.mark.anyio, pytest.mark.long]

EDITS = 10_000
OUTAGE_S = 1.5
WHOLE_DRAIN = "S3 is away for the whole drain"
EITHER = {Ending.DEPLOYED, Ending.ABORTED}


@dataclass
class Weather:
    """What happens to S3 during one deploy."""

    deployer: Deployer
    group: TaskGroup

    def outage(self, line: str) -> None:
        """S3 is away for a moment, from this line on."""
        self.deployer.when(line, partial(self.group.start_soon, self._go_away))

    async def _go_away(self) -> None:
        self.deployer.s3.cut()
        with anyio.move_on_after(OUTAGE_S):
            await anyio.sleep_forever()
        self.deployer.s3.restore()

    def away_for_the_whole_drain(self) -> None:
        self.deployer.when("drain-old: quiesce", self.deployer.s3.cut)
        self.deployer.when("drain-old failed", self.deployer.s3.restore)

    def spoil(self, spoil: Callable[[str], None]) -> None:
        """Something happens to a room's last save, until the room is saved anew."""

        def act() -> None:
            key = self.deployer.saved.newest("room-01") or ""
            spoil(key)
            self.deployer.when("restore-old: destroy", partial(self.group.start_soon, self._mended, key))

        self.deployer.when("drain-old: prove saved state", act)

    async def _mended(self, key: str) -> None:
        def anew() -> bool:
            return (self.deployer.saved.newest("room-01") or "") > key

        await self.deployer.until(anew, "the spoilt room is saved anew")

    def delete(self) -> None:
        self.spoil(self.deployer.saved.delete)

    def overwrite(self) -> None:
        self.spoil(lambda key: self.deployer.saved.put(key, b"nonsense"))

    def lose(self, lose: Callable[[bytes], None]) -> None:
        """The commit, or the answer to it, is lost on its way."""
        commit = f"PUT /{self.deployer.saved.bucket}/{self.deployer.saved.prefix}owners/".encode()
        self.deployer.when("switch-routes: record green", lambda: lose(commit))


TROUBLES: dict[str, tuple[Callable[[Weather], None], set[Ending]]] = {
    "none": (lambda weather: None, {Ending.DEPLOYED}),
    "S3 is away while green boots": (lambda w: w.outage("create-new: wait"), {Ending.DEPLOYED}),
    "a room is deleted before the proof": (Weather.delete, {Ending.ABORTED}),
    "S3 is away when blue quiesces": (lambda w: w.outage("drain-old: quiesce"), {Ending.DEPLOYED}),
    "S3 is away at the proof": (lambda w: w.outage("drain-old: prove"), EITHER),
    WHOLE_DRAIN: (Weather.away_for_the_whole_drain, {Ending.ABORTED}),
    "the commit is lost": (lambda w: w.lose(w.deployer.s3.lose), {Ending.DEPLOYED}),
    "a room is overwritten before the proof": (Weather.overwrite, {Ending.ABORTED}),
    "S3 is away at the commit": (lambda w: w.outage("switch-routes: record green"), {Ending.DEPLOYED}),
    "the answer to the commit is lost": (lambda w: w.lose(w.deployer.s3.lose_answer_to), {Ending.DEPLOYED}),
    "S3 is away when green takes over": (lambda w: w.outage("switch-routes: route"), {Ending.DEPLOYED}),
}


async def deploy_through(deployer: Deployer, trouble: str) -> Ending:
    """Deploy what does not serve now, while it happens; over once S3 is well again."""
    arrange, expected = TROUBLES[trouble]
    serving = deployer.outcomes[-1].serving
    assert serving
    other = V1 if serving.release.digest == deployer.spec(V2, **BY_REQUEST).digest else V2
    async with anyio.create_task_group() as group:
        arrange(Weather(deployer, group))
        deadline = "4s" if trouble == WHOLE_DRAIN else "1m"
        outcome = await deployer.deploy(other, deadlines={"drain_old": deadline}, **BY_REQUEST)
    assert outcome.ending in expected, (trouble, outcome.failure)
    return outcome.ending


async def test_ten_thousand_edits_survive_deploys_outages_and_failing_proofs(
    deployer: Deployer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each acknowledged edit is where it was promised, once, and at no time had a room two owners."""
    # Where others use the machine too it takes longer than other tests may, and is no test that hangs.
    faulthandler.cancel_dump_traceback_later()
    deployer.regions = TWO_REGIONS
    await deployer.serve(V1, **BY_REQUEST)
    endings: Counter[Ending] = Counter()
    async with deployer.players(40, 20, edits_per_second=9, seconds_per_visit=4) as players:
        for trouble in TROUBLES:
            await more_edits(players, 150)
            endings[await deploy_through(deployer, trouble)] += 1
        await players.reach(lambda now: now.acked >= EDITS, 300)
        result = await deployer.judge(players)
    with capsys.disabled():
        print(f"\n  {figures(result)}; deploys: {dict(endings)}")
    assert result.passed, result
    assert result.acknowledged >= EDITS


def figures(result: Audit) -> str:
    return (
        f"{result.acknowledged:,} edits acknowledged, {len(result.lost)} lost, {len(result.moved)} moved, "
        f"{len(result.duplicated)} duplicated, {len({proof.room for proof in result.two_owners})} rooms with two owners"
    )


UNSAFE = {"cutover": "overlap", "env": {"ROOMS_FENCE": "off", "ROOMS_CHECKPOINT_SECONDS": "60"}}
SAFE = {"env": {"ROOMS_CHECKPOINT_SECONDS": "60"}} | BY_REQUEST


@pytest.mark.parametrize("order", [SAFE, UNSAFE], ids=["this order", "Fly's own order"])
async def test_in_flys_own_order_the_same_deploys_lose_edits(
    deployer: Deployer, order: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """The negative control: green is routed while blue still serves, the app's own guard is off, and edits are gone."""
    deployer.regions = TWO_REGIONS
    await deployer.serve(V1, **order)
    async with deployer.players(16, 4, seconds_per_visit=0.5) as players:
        for image in (V2, V1):
            await more_edits(players, 60)
            await deployer.serve(image, bake="1s", **order)
        result = await deployer.judge(players)
    with capsys.disabled():
        print(f"\n  {figures(result)}")
    assert result.passed if order is SAFE else result.lost
