"""What a run without arguments looks at: every test but the stories, and of those, which take whole servers, today's part."""

from __future__ import annotations

import gc
import os

import pytest

from charrua_core.testing.daily import is_todays

PARTS = 4
SERVERS = {"start_archive", "browser_at"}
"""Fixtures that start an archive's processes, or a browser."""
SAMPLED = "CHARRUA_TEST_SAMPLED"


def pytest_configure(config: pytest.Config) -> None:
    """Tell the worker processes, which are given paths in any case, whether somebody has asked for certain tests."""
    config.addinivalue_line("markers", "always: a story that is told every day")
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[SAMPLED] = "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the stories of other days, and say how many those are."""
    if SAMPLED not in os.environ:
        return
    others = [item for item in items if is_story(item) and not is_todays(item.nodeid, parts=PARTS)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking over thousands of tests again and again."""
    gc.collect()
    gc.freeze()


def is_story(item: pytest.Item) -> bool:
    """Whether a test takes more than this process, and is not told every day."""
    return bool(SERVERS & set(getattr(item, "fixturenames", ()))) and item.get_closest_marker("always") is None
