"""The timeline as a picture: what the rollout did, and what the players saw of it."""

from demo.picture.figure import draw, render

__all__ = ["draw", "render"]
