"""How scripts come about: Hypothesis strategies."""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.histories.steps import (
    Boot,
    Boots,
    Break,
    Calls,
    Edit,
    Fault,
    Hand,
    HandAct,
    Host,
    HostAct,
    Kill,
    Pass,
    Resume,
    Script,
    Start,
    Step,
    Store,
    StoreAct,
    Suspend,
    Wants,
)

STEPS = 200
SHORT: tuple[Fault, ...] = ("404", "stale list")
"""The API is eventually consistent, so these are borne for seconds; for longer they are its word for absent."""
FAULTS = tuple(fault for fault in get_args(Fault) if fault not in SHORT)
_who = st.integers(0, 1)
_calls = st.integers(1, 6)
_nth = st.integers(0, 4)
_seconds = st.sampled_from((0.05, 0.05, 0.3, 0.3, 1.0, 1.0, 3.0, 30.0))

_KINDS: dict[st.SearchStrategy[Step], int] = {
    st.builds(Start, _who, st.sampled_from(get_args(Wants)[:-1] * 2 + ("destroy",))): 3,
    st.builds(Kill, _who, st.integers(0, 6), st.booleans()): 2,
    st.builds(Suspend, _who): 1,
    st.builds(Resume, _who): 3,
    st.builds(Calls, _who, st.integers(1, 3)): 14,
    st.builds(Pass, _seconds): 5,
    st.builds(Break, _who, st.sampled_from(FAULTS), _calls, st.sampled_from((1, 1, 2, 5, 30))): 4,
    st.builds(Break, _who, st.sampled_from(SHORT), _calls, st.integers(1, 2)): 1,
    st.builds(Hand, st.sampled_from(get_args(HandAct)), _nth): 2,
    st.builds(Host, st.sampled_from(get_args(HostAct)), _nth): 2,
    st.builds(Boots, st.sampled_from(get_args(Boot))): 1,
    st.builds(Store, st.sampled_from((*get_args(StoreAct), "up", "up"))): 2,
    st.just(Edit()): 5,
}
_step = st.sampled_from([kind for kind, weight in _KINDS.items() for _ in range(weight)]).flatmap(lambda s: s)

_fault = st.builds(Break, _who, st.sampled_from(FAULTS), _calls, st.integers(1, 5))
_trouble = _fault | st.builds(Kill, _who, _calls, st.booleans()) | st.builds(Host, st.just("dies"), _nth)
_pair = st.tuples(_fault, _trouble, st.builds(Calls, _who, _calls))


def _scripts(steps: st.SearchStrategy[tuple[Step, ...]]) -> st.SearchStrategy[Script]:
    return st.builds(
        Script,
        seed=st.integers(0, 2**16),
        drain=st.sampled_from(("stop", "request")),
        cutover=st.sampled_from(("handoff", "handoff", "handoff", "overlap")),
        last=st.sampled_from(get_args(Wants)),
        steps=steps,
        extras=st.sampled_from(
            (*((),) * 3, ("bake",), ("warm",), ("bake", "warm"), ("approval",), ("approval", "bake", "warm"))
        ),
    )


scripts = _scripts(st.lists(_step, min_size=STEPS, max_size=STEPS).map(tuple))
with_pairs = _scripts(
    st.lists(st.tuples(_step) | _pair, min_size=STEPS // 2, max_size=STEPS // 2).map(
        lambda parts: tuple(step for part in parts for step in part)
    )
)
"""Half of all that happens are two faults within a few calls."""


def playing(histories: int) -> settings:
    """How Hypothesis plays them. What fails is made shorter by ``shorter``, in fewer plays."""
    return settings(
        max_examples=histories,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
