"""All cells: made from routes, asked of a running archive, and judged."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from pydicom.dataset import Dataset

from charrua_core.testing.access.cells import Answer, Ask, Cell
from charrua_core.testing.access.shelf import KINDS, Caller, Study, Target, a_shelved_study
from charrua_core.web import WebRoute

Recipe = Callable[[Target], Sequence[Ask]]
Answers = Sequence[tuple[Cell, Answer]]
_TARGETED = {"study", "series", "instance"}
_AT_ONCE = 8
_FAILURES = 2
"""Credentials that may fail from an address before it has to wait."""


@dataclass
class Matrix:
    """Makes cells and runs them. `studies` has one of each kind, stored already.

    `recipes` says by method and path how to call what the path alone does not say, of a page by `PAGE` where something else
    has its path; `objects` grows by what has to be
    stored before the cells run, for those that change their target. `calls` says whether a caller is one of those who call a
    route: a sample of all cells.
    """

    callers: Sequence[Caller]
    studies: Mapping[str, Study]
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    objects: list[Dataset] = field(default_factory=list)
    calls: Callable[[WebRoute, Caller], bool] = lambda _route, _caller: True

    def asks(self, route: WebRoute, target: Target) -> Sequence[Ask]:
        """Give the ways of calling a route. LookupError where its path does not say it, and no recipe does."""
        page = self.recipes.get(f"PAGE {route.path}") if tuple(route.produces) == ("text/html",) else None
        recipe = page or self.recipes.get(f"{route.method} {route.path}")
        if recipe is not None:
            return recipe(target)
        if route.method != "GET" or set(route.variables) - _TARGETED:
            raise LookupError(f"no recipe says how to call {route.method} {route.path}")
        return [Ask(general=not route.variables)]

    def cells(self, routes: Iterable[WebRoute]) -> list[Cell]:
        """Give the cells of routes: every base, caller, target and way of asking; with a row filter GET also as HEAD."""
        targets = list(self._targets())
        return [
            cell
            for route in routes
            for target in targets
            for number, ask in enumerate(self.asks(route, target))
            for base in route.bases
            for caller in self.callers
            if self.calls(route, caller)
            if target.name in _targets_for(caller, route, ask)
            for cell in self._of(route, base, caller, target, ask, number)
        ]

    def _targets(self) -> Iterator[Target]:
        yield Target.absent()
        yield Target.crossed(self.studies["CR"], self.studies["MR"])
        for kind, modalities in KINDS.items():
            yield from (Target.of(self.studies[kind], modality) for modality in modalities)

    def _of(self, route: WebRoute, base: str, caller: Caller, target: Target, ask: Ask, number: int) -> Iterator[Cell]:
        cell = Cell(route.method, route, base, caller, target, ask, number)
        standing = list(self.studies.values())
        if ask.changes and cell.is_let_in:
            studies, fresh = self._fresh(target)
            standing += studies
            cell = replace(cell, target=fresh, ask=self.asks(route, fresh)[number])
        sees = caller if cell.is_let_in else None
        cell = replace(cell, words=tuple(word for study in standing for word in study.hidden_from(sees)))
        yield cell
        if route.method == "GET" and _sees_a_part(caller):
            yield replace(cell, method="HEAD")

    def _fresh(self, target: Target) -> tuple[list[Study], Target]:
        """Give a target like this one that no other cell has, and the studies that it is of."""
        kinds = {"absent": [], "crossed": ["CR", "MR"]}.get(target.name, [target.name.partition("/")[0]])
        made = [a_shelved_study(kind) for kind in kinds]
        self.objects += [one for _, objects in made for one in objects]
        studies = [study for study, _ in made]
        if not studies:
            return studies, Target.absent()
        crossed = len(studies) > 1
        return studies, Target.crossed(*studies) if crossed else Target.of(studies[0], target.modality)

    async def run(self, url: str, cells: Sequence[Cell]) -> Answers:
        """Ask an archive, several cells at once."""
        turns = asyncio.Semaphore(_AT_ONCE)
        failing = itertools.count()
        async with AsyncExitStack() as opened:
            clients: dict[str, httpx.AsyncClient] = {}

            async def ask(cell: Cell) -> tuple[Cell, Answer]:
                # An address from which credentials often fail has to wait: those that fail come from many.
                fails = cell.caller.headers and not cell.caller.known
                place = divmod(next(failing) // _FAILURES, 250) if fails else (0, 0)
                address = f"127.0.{place[0] + 1}.{place[1] + 1}" if fails else "127.0.0.1"
                if address not in clients:
                    clients[address] = await opened.enter_async_context(_client(url, address))
                headers = {**cell.caller.headers, **cell.ask.headers}
                async with turns:
                    sent = clients[address].request(cell.method, cell.path, headers=headers, content=cell.ask.body)
                    return cell, Answer.of(await sent)

            return await asyncio.gather(*map(ask, cells))


def _targets_for(caller: Caller, route: WebRoute, ask: Ask) -> Sequence[str]:
    """Give the targets that make a difference to this caller."""
    if ask.general:
        return ["absent"]
    if caller.refusal(route.permission) is not None:
        return ["MR/MR"]
    every = ["absent", "crossed", "CR/CR", "MR/MR", "BOTH/CR", "BOTH/MR"]
    return every if _sees_a_part(caller) else ["absent", "BOTH/CR"]


def _sees_a_part(caller: Caller) -> bool:
    return bool(caller.sees) or caller.only is not None


def _client(url: str, address: str) -> httpx.AsyncClient:
    # Without authorities of TLS, which take a twentieth of a second to read.
    transport = httpx.AsyncHTTPTransport(
        verify=False, local_address=address, limits=httpx.Limits(max_connections=_AT_ONCE)
    )
    # No cookie of one caller's log-in goes with another's request.
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(base_url=url, timeout=60, transport=transport, cookies=no_cookies)


def judged(answers: Answers) -> list[str]:
    """Give what is wrong, a sentence each: also where what is hidden is answered otherwise than what is not there."""
    faults = [fault for cell, answer in answers for fault in cell.faults(answer)]
    absent = {_key(cell): answer.about(cell.target) for cell, answer in answers if cell.target.name == "absent"}
    for cell, answer in answers:
        if cell.is_let_in and cell.is_hidden and not cell.ask.whole:
            other, this = absent[_key(cell)], answer.about(cell.target)
            if this.status != other.status or (this != other and not cell.ask.changes):
                faults.append(f"{cell}: is told from what is not there: {this} instead of {other}")
    return faults


def _key(cell: Cell) -> tuple[str, ...]:
    return (cell.method, cell.base, cell.route.method, cell.route.path, cell.caller.name, str(cell.number))
