"""The plugins that are loaded, and the verbs by which core calls their hooks.

gather: all, one flat list · ask: the first that is not None · judge: in order, the first refusal stops · tell: one plugin
at a time, after the fact. Hooks named in `IN_LINE` are called at once, in the caller's thread; of the others, `async def`
runs on the loop and plain `def` in a worker thread. Plugins are called in the order of their names, core last.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy

from charrua_core import hookspecs
from charrua_core.budgets import Watch
from charrua_core.errors import PluginFailed
from charrua_core.implementation import FAILURES, Implementation
from charrua_core.types import Refuse

T = TypeVar("T")

log = logging.getLogger(__name__)

GROUP = "charrua"
CORE = "core"
IN_LINE = frozenset(
    {
        "settings",
        "migrations",
        "services",
        "dimse_services",
        "job_types",
        "cli_commands",
        "accept_object",
        "coerce_object",
        "on_query",
        "decode_frame",
        "encode_frame",
        "web_routes",
        "destinations",
    }
)


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded plugin: its name, distribution and version, and the hooks that it implements."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...]


class Hooks:
    """All loaded plugins.

    `blocked` names plugins not to load; `modules` are importable modules to load beside the installed ones. Raises
    PluginFailed, naming the plugin, where one cannot be imported or marks a function that is no hook.
    """

    def __init__(self, blocked: Iterable[str] = (), modules: Iterable[str] = ()) -> None:
        self.blocked = frozenset(blocked)
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._versions: dict[str, tuple[str, str]] = {}
        self._register(CORE, importlib.import_module("charrua_core.builtin"))
        for module in modules:
            self._load(module, lambda module=module: importlib.import_module(module))  # type: ignore[misc]
        for entry in sorted(_installed(), key=lambda entry: entry.name, reverse=True):
            if entry.name not in self.blocked:
                self._load(entry.name, entry.load)
                if entry.dist:
                    self._versions[entry.name] = (entry.dist.name, entry.dist.version)
        self._check_names()
        self._implementations = {name: self._collect(name) for name in hook_names()}

    def _load(self, name: str, load: Callable[[], Any]) -> None:
        try:
            plugin = load()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise PluginFailed(
                f"plugin {name} cannot be loaded: {type(error).__name__}: {error} (start --without {name} to go on without)"
            ) from error
        self._register(name, plugin)

    def _register(self, name: str, plugin: Any) -> None:
        if hidden := _modules_named_like_hooks(plugin):
            raise PluginFailed(
                f"plugin {name} has a module {hidden[0]}, which hides its hook of that name once imported"
            )
        try:
            self._manager.register(plugin, name=name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginFailed(f"plugin {name} does not fit: {error}") from error

    def _check_names(self) -> None:
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            name = self._manager.get_name(error.plugin) or str(error.plugin)
            raise PluginFailed(
                f"plugin {name} implements a hook that does not exist: {error} (start --without {name} to go on without)"
            ) from error

    def _collect(self, hook: str) -> tuple[Implementation, ...]:
        # pluggy keeps them in reverse: the last registered is called first, hence the reversed order of loading.
        found = reversed(getattr(self._manager.hook, hook).get_hookimpls())
        implementations = tuple(Implementation.of(hook, i) for i in found)
        for one in implementations:
            if hook in IN_LINE and inspect.iscoroutinefunction(one.function):
                raise one.failed("it is called in line and cannot be async def")
        return implementations

    def watches(self) -> list[Watch]:
        """Give what the plugins' calls took, by plugin and hook."""
        return [one.watch for found in self._implementations.values() for one in found if one.plugin != CORE]

    def implementations(self, name: str) -> tuple[Implementation, ...]:
        """Give the implementations of a hook in the order in which they are called."""
        return self._implementations[name]

    def plugins(self) -> list[Plugin]:
        """Give the loaded plugins by name, core among them."""
        names = sorted(name for name, _ in self._manager.list_name_plugin())
        return [Plugin(name, *self._versions.get(name, ("", "")), self._hooks_of(name)) for name in names]

    def packages(self) -> list[str]:
        """Name the packages, or single modules, that the plugins are."""
        modules: list[Any] = [module for _, module in self._manager.list_name_plugin()]
        return sorted({module.__name__.partition(".")[0] for module in modules})

    def _hooks_of(self, plugin: str) -> tuple[str, ...]:
        return tuple(
            hook for hook, found in self._implementations.items() if any(one.plugin == plugin for one in found)
        )

    # -- in line ---------------------------------------------------------------------------------------------------------
    def gather(self, name: str, **given: Any) -> list[Any]:
        """Give the results of all implementations in one flat list; a failure propagates as PluginFailed."""
        gathered: list[Any] = []
        for one in self._implementations[name]:
            gathered += one.listed(one.call(given))
        return gathered

    def gather_of(self, kind: type[T], name: str, **given: Any) -> list[T]:
        """Give what `gather` gives, where each result must be of this kind; PluginFailed names the plugin otherwise."""
        gathered: list[T] = []
        for one in self._implementations[name]:
            for result in one.listed(one.call(given)):
                if not isinstance(result, kind):
                    raise one.failed(f"it gave {type(result).__name__} among what must be {kind.__name__}")
                gathered.append(result)
        return gathered

    def gather_by_plugin(self, name: str, **given: Any) -> list[tuple[str, Any]]:
        """Give what `gather` gives, each result with the name of its plugin."""
        found = self._implementations[name]
        return [(one.plugin, result) for one in found for result in one.listed(one.call(given))]

    def judge(self, name: str, **given: Any) -> Refuse | None:
        """Give the first refusal, None if nobody refuses. A failing implementation refuses with 0x0110."""
        for one in self._implementations[name]:
            try:
                verdict = one.run(given)
            except FAILURES as error:
                return _refused(one, error)
            if verdict is not None:
                return verdict if isinstance(verdict, Refuse) else _refused(one, _wrong_type(verdict))
        return None

    def judge_and_revise(self, name: str, revised: str, **given: Any) -> Any:
        """Judge where each implementation may also give the argument `revised` anew, to the next and to the caller.

        Gives the first refusal, or the argument as the last implementation left it.
        """
        kind = type(given[revised])
        for one in self._implementations[name]:
            try:
                verdict = one.run(given)
            except FAILURES as error:
                return _refused(one, error)
            if isinstance(verdict, Refuse):
                return verdict
            if verdict is not None:
                if not isinstance(verdict, kind):
                    return _refused(one, _wrong_type(verdict))
                given[revised] = verdict
        return given[revised]

    # -- on the loop -----------------------------------------------------------------------------------------------------
    async def gather_async(self, name: str, **given: Any) -> list[Any]:
        """Like `gather`, for a hook that is not in line: one implementation after another."""
        gathered: list[Any] = []
        for one in self._implementations[name]:
            gathered += one.listed(await one.call_async(given))
        return gathered

    async def ask_async(self, name: str, **given: Any) -> Any:
        """Give the first result that is not None, None if there is none; a failure propagates as PluginFailed."""
        for one in self._implementations[name]:
            answer = await one.call_async(given)
            if answer is not None:
                return one.checked(answer)
        return None


def _modules_named_like_hooks(plugin: Any) -> list[str]:
    paths = getattr(plugin, "__path__", ())
    return [module.name for module in pkgutil.iter_modules(paths) if module.name in hook_names()]


def _installed() -> Sequence[EntryPoint]:
    return tuple(entry_points(group=GROUP))


def hook_names() -> list[str]:
    """Name all hooks in the order of their specifications."""
    return [name for name, found in vars(hookspecs).items() if hasattr(found, f"{GROUP}_spec")]


def _wrong_type(verdict: object) -> TypeError:
    return TypeError(f"it gave {type(verdict).__name__}")


def _refused(one: Implementation, error: BaseException) -> Refuse:
    log.error("%s", one.failed(error), exc_info=error, extra={"plugin": one.plugin, "hook": one.hook})
    return Refuse(f"plugin {one.plugin} failed", dimse_status=0x0110, http_status=500)
