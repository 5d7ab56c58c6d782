"""Pulumi's mocks want an event loop in this thread."""

from tests.event_loop import event_loop

__all__ = ["event_loop"]
