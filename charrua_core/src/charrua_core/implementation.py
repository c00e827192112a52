"""One plugin's function for one hook: called within its budget, its failures named, its results checked."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from charrua_core import metrics
from charrua_core.budgets import BUDGETS, START, TookTooLong, Watch, in_thread, within
from charrua_core.errors import PluginFailed
from charrua_core.types import Coercion, Identity, Refuse, Route

GIVES: dict[str, type | tuple[type, ...]] = {
    "coerce_object": Coercion,
    "route_destination": Route,
    "auth_provider": (Identity, Refuse),
    "health": tuple,
    "metrics": metrics.Read,
}
"""What a hook may give, or hold in the list that it gives, where the verb does not say."""

_FAILURES = metrics.counter(
    "charrua_hook_failures_total",
    "Calls of plugins' hooks that failed, or gave what they may not.",
    plugin=metrics.Bound.PLUGINS,
    hook=metrics.Bound.HOOKS,
)

FAILURES = (Exception, SystemExit)
"""A plugin that asks to exit fails like any other: it does not end the archive."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's function for one hook, and what it took so far."""

    plugin: str
    hook: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    watch: Watch

    @classmethod
    def of(cls, hook: str, found: Any) -> Implementation:
        """Describe what pluggy has found."""
        watch = Watch(found.plugin_name, hook, BUDGETS.get(hook, START))
        return cls(found.plugin_name, hook, found.function, tuple(found.argnames), watch)

    def run(self, given: dict[str, Any]) -> Any:
        """Call it in this thread with those of the arguments that it takes; raises what it raises."""
        began = time.perf_counter()
        try:
            return self.function(*[given[name] for name in self.arguments])
        finally:
            self.watch.took(time.perf_counter() - began)

    def call(self, given: dict[str, Any]) -> Any:
        """Call it in this thread; PluginFailed names the plugin."""
        try:
            return self.run(given)
        except FAILURES as error:
            raise self.failed(error) from error

    async def call_async(self, given: dict[str, Any]) -> Any:
        """Call it on the loop, or in a thread if it is a plain function; PluginFailed names the plugin.

        One that does not end within the hard limit of its hook has failed, and is left to itself.
        """
        if self.watch.pauses:
            raise self.failed("it hung too often and is not called for a while")
        values = [given[name] for name in self.arguments]
        began = time.perf_counter()
        try:
            result = await within(self.watch.budget.hard_s, self._begin(values))
        except TookTooLong as error:
            self.watch.gave_up()
            raise self.failed(error) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # it is we who are cancelled
            raise self.failed("it has cancelled itself") from error
        except FAILURES as error:
            self.watch.ended(time.perf_counter() - began)
            raise self.failed(error) from error
        self.watch.ended(time.perf_counter() - began)
        return result

    def _begin(self, values: list[Any]) -> asyncio.Future[Any]:
        if inspect.iscoroutinefunction(self.function):
            return asyncio.ensure_future(_settled(self.function(*values)))
        return in_thread(self.function, *values)

    def failed(self, error: object) -> PluginFailed:
        """Give the error that names the plugin and the hook."""
        _FAILURES.labels(self.plugin, self.hook).inc()
        kind = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
        return PluginFailed(f"plugin {self.plugin}, hook {self.hook}: {kind}{error}")

    def checked(self, result: Any) -> Any:
        """Give the result; PluginFailed where it is nothing that this hook may give."""
        kinds = GIVES.get(self.hook)
        if kinds is not None and not isinstance(result, kinds):
            raise self.failed(f"it gave {type(result).__name__}")
        return result

    def listed(self, result: Any) -> Iterable[Any]:
        """Give what a hook gave that is to give a list, or nothing; PluginFailed where it is none, or holds what it may not."""
        if result is None:
            return ()
        if isinstance(result, str | bytes) or not isinstance(result, Iterable):
            raise self.failed(f"it gave {type(result).__name__} where a list is asked for")
        try:
            return [self.checked(one) for one in result]
        except FAILURES as error:  # a generator may still fail
            raise error if isinstance(error, PluginFailed) else self.failed(error) from error


async def _settled(work: Awaitable[Any]) -> Any:
    """Keep a wish to exit from ending the loop: as the result of a task it would."""
    try:
        return await work
    except SystemExit as error:
        raise ExitAsked(f"SystemExit: {error}") from error


class ExitAsked(Exception):
    """A plugin has asked to end the process."""
