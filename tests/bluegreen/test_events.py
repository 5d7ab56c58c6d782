"""What a deployment tells while it runs, and that nobody who listens can fail it."""

from __future__ import annotations

from providers.bluegreen.events import Event, Kind, all_of, lines


def test_a_listener_that_fails_keeps_nothing_from_the_others() -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise ValueError(event.text)

    event = Event(Kind.NOTE, 1.0, "text")
    all_of(broken, heard.append)(event)
    assert heard == [event]


def test_lines_are_those_events_that_have_words() -> None:
    said: list[str] = []
    hear = lines(said.append)
    hear(Event(Kind.DONE, 1.0))
    hear(Event(Kind.NOTE, 2.0, "text"))
    assert said == ["text"]
