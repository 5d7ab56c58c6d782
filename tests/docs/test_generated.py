"""What is made from the code is what the code says."""

from __future__ import annotations

import pytest

from components.schema import StackConfig
from providers.bluegreen import lifecycle
from tools.docs.__main__ import outdated
from tools.docs.attributes import describe
from tools.docs.lifecycle import diagram
from tools.docs.marked import BEGIN, END, between_marks


def test_the_committed_pages_are_what_the_code_says() -> None:
    """A key, a default or a step that changes changes its page in the same commit: `make docs`."""
    assert [path.name for path, _ in outdated()] == []


def test_a_page_that_is_not_what_the_code_says_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: one row less in the table."""
    monkeypatch.setattr("tools.docs.lifecycle._DIAGRAMS", (("handoff", "", lifecycle.HANDOFF[1:]),))
    assert [path.name for path, _ in outdated()] == ["lifecycle.md"]


def test_every_key_is_described() -> None:
    """No key of the configuration is without its sentence."""
    schema = StackConfig.model_json_schema(by_alias=True)
    describe(schema, StackConfig)
    parts = {"": schema} | schema["$defs"]
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, value in part.get("properties", {}).items()
        if not value.get("description") and key != "type"
    ]
    assert silent == []


def test_the_diagram_has_each_step_once_in_order_and_one_commit_point() -> None:
    """Steps are chained as the table has them; repairs are left out."""
    text = diagram(lifecycle.HANDOFF)
    assert text.count("commit point") == 1
    assert text.index("prove saved state") < text.index("commit point") < text.index('"route (green)"')
    shown = [line for line in text.splitlines() if line.startswith("    s")]
    assert text.count(" --> ") == len(shown) - 1


def test_what_people_wrote_around_the_marks_stays() -> None:
    """Before and behind; made twice it is the same."""
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nMore.\n"
    made = between_marks(page, "new")
    assert made == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nMore.\n"
    assert between_marks(made, "new") == made
