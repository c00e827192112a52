"""The documents are complete. That what is written from the code is as the code says, `just lint` checks."""

from __future__ import annotations

import importlib
import re
from operator import attrgetter
from pathlib import Path

import pytest

from charrua_core import hookspecs

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))


def test_every_hook_says_its_verb_and_shows_an_example() -> None:
    specs = [spec for name, spec in vars(hookspecs).items() if hasattr(spec, "charrua_spec")]
    assert specs
    for spec in specs:
        assert re.search(r"\b(gather|ask|judge|tell)\b", spec.__doc__ or ""), spec.__name__
        assert "@hookimpl" in (spec.__doc__ or ""), spec.__name__


@pytest.mark.parametrize(
    "page", [*DOCS, ROOT / "README.md", ROOT / "benchmarks" / "README.md"], ids=lambda page: page.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_has_a_command_that_starts_and_one_that_tests() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert any("charrua serve" in block for block in blocks)
    assert any("pytest" in block for block in blocks)


def test_the_settings_that_stand_for_those_of_the_manual_exist() -> None:
    table = (ROOT / "docs" / "setup.md").read_text().partition("## Settings of the manual")[2]
    named = set(re.findall(r"`([a-z0-9_]+)`", table))
    declared = set(re.findall(r"^### `(\w+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert named - declared == set()


def test_what_plugins_are_told_to_use_is_there() -> None:
    table = (ROOT / "docs" / "plugin.md").read_text().partition("## What is there to be used")[2].partition("\n## ")[0]
    for row in table.splitlines():
        named = re.findall(r"`([\w.]+)`", row)
        modules = [importlib.import_module(name) for name in named if name.startswith("charrua_core")]
        for name in (name for name in named if not name.startswith("charrua_core")):
            assert any(_has(module, name) for module in modules), name


def _has(module: object, name: str) -> bool:
    try:
        attrgetter(name)(module)
    except AttributeError:
        return False
    return True
