"""What happened in one run, as data: built from the simulator's history, the players' log and the stack's outputs."""

from demo.timeline.build import Evidence, Rollout, build
from demo.timeline.model import BIN_SECONDS, Dot, Machine, Proof, Release, Span, Steps, Timeline, Verdict

__all__ = [
    "BIN_SECONDS",
    "Dot",
    "Evidence",
    "Machine",
    "Proof",
    "Release",
    "Rollout",
    "Span",
    "Steps",
    "Timeline",
    "Verdict",
    "build",
]
