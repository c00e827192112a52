"""One cell of the matrix: a request, what may come of it, and what came."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import httpx

from charrua_core.testing.access.shelf import Caller, Target
from charrua_core.web import WebRoute

_VARIABLE = re.compile(r"\{(\w+)(?:\.\.\.)?\}")
_PROBLEM = "content-type: application/problem+json"
_PAGE = "content-type: text/html"


@dataclass(frozen=True, slots=True)
class Ask:
    """One way of calling a route for a target, and what comes of it where the route lets the caller in."""

    query: Sequence[tuple[str, str]] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    """The variables of the path that are not the target's."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    names: frozenset[str] = frozenset()
    """What the query or body names of the target, beyond the path: study, series, instance."""
    good: frozenset[int] = frozenset({200})
    """Statuses where the target is seen."""
    hidden: frozenset[int] = frozenset({404})
    """Statuses where it is not; a 200 then has nothing in it."""
    general: bool = False
    """It asks for no target: what comes is `good`."""
    blind: bool = False
    """It is answered in one way, `good`, whether the target is seen, is hidden or is not there."""
    changes: bool = False
    """It changes its target: each cell has one of its own."""
    whole: bool = False
    """It takes sight of all series of the study."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One request. `number` tells the ways of asking apart, `words` must not be in the answer."""

    method: str
    route: WebRoute
    base: str
    caller: Caller
    target: Target
    ask: Ask
    number: int
    words: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path with its query."""
        known = {"study": self.target.study, "series": self.target.series, "instance": self.target.instance}
        values = {**known, **self.ask.values}
        path = _VARIABLE.sub(lambda found: values[found[1]], self.base + self.route.path)
        return f"{path}?{urlencode(self.ask.query)}" if self.ask.query else path

    @property
    def is_let_in(self) -> bool:
        """Whether the caller has the route's permission."""
        return self.caller.refusal(self.route.permission) is None

    @property
    def is_hidden(self) -> bool:
        """Whether it asks for what the caller does not see."""
        if self.ask.general:
            return False
        if self.ask.whole and self.caller.sees and self.target.modalities != (self.caller.sees,):
            return True
        return not self.target.seen_by(self.caller, {*self.route.variables, *self.ask.names})

    @property
    def statuses(self) -> frozenset[int]:
        """What may come of it."""
        refused = self.caller.refusal(self.route.permission)
        if refused is not None:
            return frozenset({refused})
        return self.ask.hidden if self.is_hidden and not self.ask.blind else self.ask.good

    @property
    def _shape(self) -> str:
        """How a refusal is told: of a page, to people."""
        return _PAGE if tuple(self.route.produces) == ("text/html",) else _PROBLEM

    def secrets(self) -> Iterator[str]:
        """Give the words that the answer must not tell: not those that the request itself says."""
        said = f"{self.path} {dict(self.ask.query)} {self.ask.body.decode('latin_1')}"
        return (word for word in self.words if word not in said)

    def faults(self, answer: Answer) -> Iterator[str]:
        """Give what is wrong with an answer, a sentence each."""
        if answer.status not in self.statuses:
            yield f"{self}: {answer.status}, not {sorted(self.statuses)}: {answer.body[:160]!r}"
        elif answer.status >= 400 and self.method != "HEAD" and self._shape not in answer.headers:
            yield f"{self}: {answer.status} in another shape: {answer.body[:160]!r}"
        elif self.is_let_in and self.is_hidden and not self.ask.blind and answer.status < 300 and not answer.is_empty:
            yield f"{self}: gives what is hidden: {answer.body[:160]!r}"
        yield from (f"{self}: tells {word}" for word in self.secrets() if word in answer.headers or word in answer.body)

    def __str__(self) -> str:
        """The cell for humans."""
        return f"{self.method} {self.path} by {self.caller.name} for {self.target.name}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, without what differs from one answer to the next: date and boundary."""

    status: int
    headers: str
    body: str

    @classmethod
    def of(cls, response: httpx.Response) -> Answer:
        """Read headers and body; the body of a zip file is its names and members."""
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers.multi_items() if name != "date")
        body = _members(response.content) if response.content.startswith(b"PK\x03\x04") else response.content
        boundary = re.search(r"boundary=\"?([^\s;\"]+)", headers)
        taken = boundary[1] if boundary else "\0no boundary"
        return cls(response.status_code, headers.replace(taken, ""), body.decode("latin_1").replace(taken, ""))

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing in it."""
        return self.body in ("", "[]")

    def about(self, target: Target) -> Answer:
        """Give the answer without the target's own names, to be compared with that about another."""
        named = (target.study, target.series, target.instance, target.patient_id)
        return replace(self, headers=_without(self.headers, named), body=_without(self.body, named))


def _without(text: str, names: Sequence[str]) -> str:
    text = re.sub(r"(?m)^content-length: .*$|^etag: .*$", "", text)
    return re.sub("|".join(map(re.escape, names)), "…", text)


def _members(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as folder:
        return b"\n".join(name.encode() + folder.read(name) for name in folder.namelist())
