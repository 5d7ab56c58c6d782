"""The browser, found or installed once, and one tab of it for all tests of pages."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator

import pytest

from tests.engine.conftest import stack
from tests.looking.browser import Page, browser, no_browser
from tools.browser.provide import provide
from tools.cache import Unavailable

__all__ = ["stack"]


@pytest.fixture(scope="session")
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Without a browser, and without the right to install one, its tests are skipped, and say why; in CI they fail."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    faulthandler.cancel_dump_traceback_later()  # an installation is no test that hangs
    try:
        with capture.global_and_fixture_disabled():
            program = provide(print)
    except Unavailable as error:
        no_browser(str(error))
    with browser(program, tmp_path_factory.mktemp("browser")) as page:
        yield page
