"""Random histories with fresh seeds, and with pairs of faults: python -m tests.histories.soak --minutes 60"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from random import SystemRandom

from hypothesis import given, seed

from tests.histories.scripts import playing, scripts, with_pairs
from tests.histories.steps import Script
from tests.histories.test_histories import played_or_told

AT_ONCE = 100


def soak(minutes: float) -> Counter[str]:
    """Plays until the time is over, to the end of what it has begun. A failure carries the text that replays it."""
    figures: Counter[str] = Counter()
    ends = time.monotonic() + minutes * 60
    while time.monotonic() < ends:
        number = SystemRandom().getrandbits(32)
        for drawn in (scripts, with_pairs):

            @seed(number)
            @playing(AT_ONCE)
            @given(drawn)
            def one(script: Script) -> None:
                figures.update(played_or_told(script), played=1)

            one()
        print(f"seed {number}: {figures['played']} histories, {figures['steps']} steps", flush=True)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="for how long (default: 60)")
    for name, count in sorted(soak(parser.parse_args().minutes).items()):
        print(f"{count:8}  {name}")
