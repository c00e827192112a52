"""Routes: what can be asked over HTTP, by whom, and what documents and tests need to know of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from charrua_core.accounts import PERMISSIONS
from charrua_core.errors import PluginFailed
from charrua_core.types import is_valid_uid
from charrua_core.web.errors import HttpError

if TYPE_CHECKING:
    from charrua_core.web.request import Request
    from charrua_core.web.response import Response
    from charrua_core.web.socket import WebSocketRoute

PUBLIC = "public"
"""The permission of a route that anybody may call, also without name."""

Method = Literal["GET", "POST", "PUT", "DELETE", "OPTIONS"]
_VARIABLE = re.compile(r"\{(\w+)(\.\.\.)?\}", re.ASCII)
UIDS = frozenset({"study", "series", "instance", "workitem", "transaction"})
"""Variable parts of a path that are UIDs: others than valid ones are answered with 400."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, for the documents."""

    name: str
    help: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class WebRoute:
    """One thing that can be asked. GET routes answer HEAD as well.

    `path` begins with a slash; `{study}` stands for one segment, `{path...}` at its end for all that follow. It is served
    below each of `bases`. A slash at the end of a path counts for nothing.
    """

    method: Method
    path: str
    handle: Callable[[Request], Awaitable[Response]]
    permission: str
    summary: str
    tag: str
    bases: Sequence[str] = ("",)
    query: Sequence[Parameter] = ()
    consumes: Sequence[str] = ()
    produces: Sequence[str] = ("application/json",)
    statuses: Mapping[int, str] = field(default_factory=lambda: {200: "Success"})
    description: str = ""
    hidden: bool = False
    """Not in the OpenAPI document: a page, a file of a page."""

    def __post_init__(self) -> None:
        if self.permission != PUBLIC and self.permission not in PERMISSIONS:
            raise PluginFailed(f"{self.method} {self.path}: there is no permission {self.permission!r}")

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the path's variable parts."""
        return tuple(found[1] for found in _VARIABLE.finditer(self.path))


@dataclass(frozen=True, slots=True)
class Matched:
    """A route with the base that it was found below, and its variables."""

    route: Any
    base: str
    parameters: Mapping[str, str]


class Table:
    """All routes, found by method and path. PluginFailed where two are the same."""

    def __init__(self, routes: Iterable[WebRoute | WebSocketRoute]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        for route in self.routes:
            for base in route.bases:
                self._add(route, base)

    def _add(self, route: WebRoute | WebSocketRoute, base: str) -> None:
        node, names = self._root, []
        for segment in _segments(base + route.path):
            variable = _VARIABLE.fullmatch(segment)
            node = node.child(segment, variable)
            names += [variable[1]] if variable else []
        if route.method in node.methods:
            raise PluginFailed(f"two routes answer {route.method} {base}{route.path}")
        node.methods[route.method] = (route, base, tuple(names))

    def match(self, method: str, path: str) -> Matched | None:
        """Give the route of a request, None where no path fits.

        Raises HttpError 405 where the path has other methods, 426 where it has a WebSocket, 400 where a UID in it is none or
        it has a NUL.
        """
        if "\0" in path:
            raise HttpError(400, "the path has a NUL in it")
        allowed: set[str] = set()
        for methods, values in self._root.find(_segments(path)):
            found = methods.get("GET" if method == "HEAD" else method)
            if found is not None:
                route, base, names = found
                return Matched(route, base, _checked(dict(zip(names, values, strict=True))))
            allowed |= set(methods)
        if not allowed:
            return None
        if allowed == {"WEBSOCKET"}:
            raise HttpError(426, "a WebSocket is opened here", {"Upgrade": "websocket"})
        allowed |= {"HEAD"} if "GET" in allowed else set()
        raise HttpError(
            405, f"{method} is not among {', '.join(sorted(allowed))}", {"Allow": ", ".join(sorted(allowed))}
        )


_Methods = dict[str, tuple[Any, str, tuple[str, ...]]]


class _Node:
    """A place in the tree of paths: what follows it, by the next segment."""

    def __init__(self) -> None:
        self.methods: _Methods = {}
        self._fixed: dict[str, _Node] = {}
        self._variable: _Node | None = None
        self._rest: _Node | None = None

    def child(self, segment: str, variable: re.Match[str] | None) -> _Node:
        """Give the place behind a segment of a template, made where there is none."""
        if variable is None:
            return self._fixed.setdefault(segment, _Node())
        if variable[2]:
            self._rest = self._rest or _Node()
            return self._rest
        self._variable = self._variable or _Node()
        return self._variable

    def find(self, segments: tuple[str, ...]) -> Iterator[tuple[_Methods, list[str]]]:
        """Give the methods at each place that the path leads to, with its variable parts: fixed segments first."""
        if not segments:
            if self.methods:
                yield self.methods, []
            return
        first, others = segments[0], segments[1:]
        if first in self._fixed:
            yield from self._fixed[first].find(others)
        if self._variable is not None and first:
            for methods, values in self._variable.find(others):
                yield methods, [first, *values]
        if self._rest is not None:
            yield self._rest.methods, ["/".join(segments)]


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/")) if path.strip("/") else ()


def _checked(parameters: dict[str, str]) -> dict[str, str]:
    for name, value in parameters.items():
        if name in UIDS and not is_valid_uid(value):
            raise HttpError(400, f"{value[:80]!r} is no UID")
    return parameters
