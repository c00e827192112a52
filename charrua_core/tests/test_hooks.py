"""Hooks: the verbs, the order of plugins, and what a bad plugin gets."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from charrua_core import budgets
from charrua_core.errors import PluginFailed
from charrua_core.hooks import Hooks
from charrua_core.hookspecs import hookimpl
from charrua_core.settings import Setting
from charrua_core.types import Refuse

Load = Callable[..., Hooks]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Load core and the plugins given as source text, without any installed one."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("charrua_core.hooks._installed", lambda: ())

    def load(**sources: str) -> Hooks:
        for name, source in sources.items():
            head = "from charrua_core.hookspecs import hookimpl\nfrom charrua_core.types import Refuse, Route\n"
            (tmp_path / f"{name}.py").write_text(head + source)
            sys.modules.pop(name, None)
        return Hooks(modules=sorted(sources, reverse=True))

    yield load


ROUTES = "@hookimpl\ndef route_destination(stored):\n    return [Route({!r})]\n"
REFUSES = "@hookimpl\ndef accept_object(candidate):\n    return {}\n"
FAILS = "@hookimpl\ndef {}({}):\n    raise ZeroDivisionError('by zero')\n"


async def test_gather_gives_all_results_in_one_list_in_the_order_of_the_plugins(load: Load) -> None:
    hooks = load(b_plugin=ROUTES.format("B"), a_plugin=ROUTES.format("A"))
    assert [route.destination for route in await hooks.gather_async("route_destination", stored=None)] == ["A", "B"]


BAD = {
    "raises": "raise ZeroDivisionError('by zero')",
    "recurses": "return {hook}({argument})",
    "asks to exit": "raise SystemExit(3)",
    "gives a number": "return 1",
    "gives a list of numbers": "return [1]",
    "gives a text": "return 'yes'",
    "fails while it gives": "return (1 // 0 for _ in (1, 2))",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("hook", "argument"), [("accept_object", "candidate"), ("coerce_object", "candidate"), ("on_query", "query")]
)
def test_a_gate_that_behaves_badly_is_closed_in_the_plugins_name(
    load: Load, caplog: pytest.LogCaptureFixture, hook: str, argument: str, bad: str
) -> None:
    source = f"@hookimpl\ndef {hook}({argument}):\n    {BAD[bad].format(hook=hook, argument=argument)}\n"
    hooks = load(vendor=source)
    if hook == "coerce_object":
        with pytest.raises(PluginFailed, match="plugin vendor, hook coerce_object"):
            hooks.gather_by_plugin(hook, app=None, candidate=None)
        return
    verdict = (
        hooks.judge(hook, candidate=None)
        if hook == "accept_object"
        else hooks.judge_and_revise(hook, "query", query=SimpleNamespace(), identity=None)
    )
    assert verdict == Refuse("plugin vendor failed", dimse_status=0x0110, http_status=500)
    assert "plugin vendor, hook" in caplog.text


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("bad", [*BAD, "cancels itself"])
async def test_what_is_called_beside_and_behaves_badly_fails_in_the_plugins_name(
    load: Load, kind: str, bad: str
) -> None:
    wrong = BAD.get(bad, "import asyncio; raise asyncio.CancelledError").format(
        hook="route_destination", argument="stored"
    )
    wrong = "return (lambda f: f(f))(lambda f: f(f))" if bad == "recurses" else wrong
    hooks = load(vendor=f"@hookimpl\n{kind} route_destination(stored):\n    {wrong}\n")
    with pytest.raises(PluginFailed, match="plugin vendor, hook route_destination"):
        await hooks.gather_async("route_destination", app=None, stored=None)


HANGS = {
    "in a thread": "def auth_provider(credentials):\n    import time; time.sleep(30)",
    "on the loop": "async def auth_provider(credentials):\n    import asyncio; await asyncio.sleep(30)",
    "whatever it is told": """async def auth_provider(credentials):
    import asyncio
    for _ in range(3):
        try:
            await asyncio.sleep(0.3)
        except asyncio.CancelledError:
            pass""",
}


@pytest.mark.parametrize("how", HANGS)
async def test_one_that_hangs_is_given_up_and_after_some_times_not_called_for_a_while(
    load: Load, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setitem(budgets.BUDGETS, "auth_provider", budgets.Budget(0.01, 0.05))
    hooks = load(vendor=f"@hookimpl\n{HANGS[how]}\n")
    for _ in range(budgets.HANGS):
        with pytest.raises(PluginFailed, match="not ended after"):
            await hooks.ask_async("auth_provider", app=None, credentials={})
    with pytest.raises(PluginFailed, match="not called for a while"):
        await hooks.ask_async("auth_provider", app=None, credentials={})
    monkeypatch.setattr(budgets.time, "monotonic", lambda: time.perf_counter() + 1e9)
    with pytest.raises(PluginFailed, match="not ended after"):  # a new try
        await hooks.ask_async("auth_provider", app=None, credentials={})


async def test_who_gives_up_waiting_for_a_plugin_takes_its_call_back(load: Load) -> None:
    source = (
        "told = []\n@hookimpl\nasync def health(app):\n    import asyncio\n    try:\n        await asyncio.sleep(9)\n"
    )
    hooks = load(vendor=f"{source}    finally:\n        told.append('taken back')\n")
    [one] = [one for one in hooks.implementations("health") if one.plugin == "vendor"]
    asking = asyncio.create_task(one.call_async({"app": None}))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0.01)
    assert sys.modules["vendor"].told == ["taken back"]


@pytest.mark.parametrize(("seconds", "slow", "late"), [(0.0, 0, 0), (0.06, 1, 0), (0.2, 1, 1)])
def test_a_gate_that_takes_too_long_is_told_of(
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    slow: int,
    late: int,
) -> None:
    monkeypatch.setitem(budgets.BUDGETS, "accept_object", budgets.Budget(0.05, 0.2))
    caplog.set_level(logging.INFO, "charrua_core.budgets")
    hooks = load(vendor=f"@hookimpl\ndef accept_object(candidate):\n    import time; time.sleep({seconds})\n")
    assert hooks.judge("accept_object", candidate=None) is None
    [watch] = hooks.watches()
    assert (watch.plugin, watch.hook, watch.slow, watch.late) == ("vendor", "accept_object", slow, late)
    told = [(record.levelname, record.plugin, record.hook) for record in caplog.records]  # type: ignore[attr-defined]
    assert told == [("ERROR" if late else "WARNING", "vendor", "accept_object")] * slow


async def test_ask_gives_the_first_answer_and_asks_no_further(load: Load) -> None:
    silent = "@hookimpl\nasync def auth_provider(credentials):\n    return None\n"
    answers = "@hookimpl\ndef auth_provider(credentials):\n    return Refuse(credentials['name'])\n"
    hooks = load(a=silent, b=answers, c=FAILS.format("auth_provider", "credentials"))
    assert await hooks.ask_async("auth_provider", app=None, credentials={"name": "ana"}) == Refuse("ana")


async def test_a_failure_names_the_plugin_and_the_hook_and_keeps_the_cause(load: Load) -> None:
    hooks = load(vendor=FAILS.format("route_destination", "stored"))
    with pytest.raises(
        PluginFailed, match=r"plugin vendor, hook route_destination: ZeroDivisionError: by zero"
    ) as failure:
        await hooks.gather_async("route_destination", stored=None)
    assert isinstance(failure.value.__cause__, ZeroDivisionError)


def test_the_first_refusal_stops_and_another_plugin_cannot_hide_it(load: Load) -> None:
    hooks = load(a=REFUSES.format("None"), b=REFUSES.format("Refuse('no')"), c=REFUSES.format("Refuse('never asked')"))
    assert hooks.judge("accept_object", candidate=None) == Refuse("no")


@pytest.mark.parametrize("source", [FAILS.format("accept_object", "candidate"), REFUSES.format("'yes'")])
def test_a_judge_that_fails_or_gives_no_verdict_refuses(load: Load, source: str) -> None:
    verdict = load(vendor=source).judge("accept_object", candidate=None)
    assert verdict is not None
    assert (verdict.dimse_status, verdict.http_status) == (0x0110, 500)


def test_each_judge_of_a_query_sees_what_the_one_before_it_made_of_it(load: Load) -> None:
    doubles = "@hookimpl\ndef on_query(query, identity):\n    return query * 2\n"
    refuses = "@hookimpl\ndef on_query(query):\n    return Refuse('too much') if query > 8 else None\n"
    hooks = load(a=doubles, b=doubles, c=refuses)
    assert hooks.judge_and_revise("on_query", "query", query=2, identity=None) == 8
    assert hooks.judge_and_revise("on_query", "query", query=3, identity=None) == Refuse("too much")


def test_what_is_not_of_the_kind_that_is_gathered_is_named(load: Load) -> None:
    hooks = load(vendor="@hookimpl\ndef settings():\n    return ['night']\n")
    with pytest.raises(PluginFailed, match="plugin vendor, hook settings: it gave str among what must be Setting"):
        hooks.gather_of(Setting, "settings")


def test_a_misspelt_hook_stops_the_loading_with_the_plugins_name(load: Load) -> None:
    with pytest.raises(PluginFailed, match=r"plugin vendor .*on_objekt_stored.*--without vendor"):
        load(vendor="@hookimpl\ndef on_objekt_stored(stored):\n    pass\n")


def test_an_argument_that_the_hook_does_not_have_stops_the_loading(load: Load) -> None:
    with pytest.raises(PluginFailed, match="plugin vendor"):
        load(vendor="@hookimpl\ndef on_object_stored(objekt):\n    pass\n")


@pytest.mark.parametrize("source", ["import no_such_module", "raise SystemExit(3)", "def broken(:"])
def test_a_plugin_that_cannot_be_imported_stops_the_loading_with_its_name(load: Load, source: str) -> None:
    with pytest.raises(PluginFailed, match="plugin vendor cannot be loaded"):
        load(vendor=source)


def test_a_hook_that_is_called_in_line_cannot_be_async(load: Load) -> None:
    with pytest.raises(PluginFailed, match=r"plugin vendor, hook accept_object: .*cannot be async"):
        load(vendor="@hookimpl\nasync def accept_object(candidate):\n    pass\n")


def test_a_module_that_would_hide_a_hook_stops_the_loading(load: Load, tmp_path: Path) -> None:
    (tmp_path / "shadowed").mkdir()
    for name in ("__init__", "settings"):
        (tmp_path / "shadowed" / f"{name}.py").touch()
    with pytest.raises(PluginFailed, match="plugin shadowed has a module settings"):
        Hooks(modules=["shadowed"])


def test_a_blocked_plugin_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError("never to be loaded")

    broken = SimpleNamespace(name="vendor", load=fail, dist=None)
    monkeypatch.setattr("charrua_core.hooks._installed", lambda: (broken,))
    with pytest.raises(PluginFailed, match="vendor"):
        Hooks()
    assert [plugin.name for plugin in Hooks(blocked=["vendor"]).plugins()] == ["core"]


def test_judging_an_object_costs_next_to_nothing(load: Load) -> None:
    hooks = load(a=REFUSES.format("None"), b=REFUSES.format("None"))
    seconds: Any = min(timeit.repeat(lambda: hooks.judge("accept_object", candidate=1), number=1000, repeat=20))
    assert seconds / 1000 < 20e-6  # about 1 µs on a quiet machine


def test_the_marker_of_the_specifications_is_the_plugins_one() -> None:
    assert hookimpl.project_name == "charrua"
