"""Timelines as pictures: what the rollout did, and what the players saw of it."""

from demo.picture.comparison import render_comparison
from demo.picture.figure import draw, render

__all__ = ["draw", "render", "render_comparison"]
