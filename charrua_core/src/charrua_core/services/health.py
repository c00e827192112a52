"""What works and what does not: for `charrua status` and the page `/health`, which must answer when nothing else does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from charrua_core.errors import CharruaError
from charrua_core.implementation import FAILURES, Implementation
from charrua_core.services.forecast import Forecast
from charrua_core.services.listening import Listening
from charrua_core.types import Finding

if TYPE_CHECKING:
    from charrua_core.app import App

KEPT_S = 1.0
"""So long all who ask are told the same."""
CHECK_WITHIN_S = 1.2
"""Within the budget of the hook, which is cut off as a whole."""

Check = Callable[["App"], Coroutine[Any, Any, Sequence[Finding]]]
Status = Literal["ok", "degraded", "failing"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """How the archive is. Since when a thing does not work is what this process has seen."""

    at: datetime
    findings: tuple[Finding, ...]
    since: dict[str, datetime]

    @property
    def status(self) -> Status:
        """Give the sum: `failing` where something vital does not work, `degraded` where anything does not."""
        failing = [one for one in self.findings if not one.works]
        if any(one.vital for one in failing):
            return "failing"
        return "degraded" if failing else "ok"

    @property
    def http_status(self) -> int:
        """Give 503 where the archive fails, so that a load balancer goes elsewhere, else 200."""
        return 503 if self.status == "failing" else 200

    def in_a_word(self) -> dict[str, Any]:
        """Give what anybody may know, as JSON has it."""
        return {"status": self.status}

    def in_full(self) -> dict[str, Any]:
        """Give what those may know who set the archive up, as JSON has it."""
        findings = [self._shown(one) for one in self.findings]
        return {"status": self.status, "at": self.at.isoformat(timespec="milliseconds"), "findings": findings}

    def _shown(self, one: Finding) -> dict[str, Any]:
        shown: dict[str, Any] = {"name": one.name, "works": one.works, "sentence": one.sentence, "vital": one.vital}
        if not one.works:
            shown |= {"since": self.since[one.name].isoformat(timespec="seconds"), "mend": one.mend}
        return shown


class Health:
    """The findings of core and of every plugin, asked for at most once a second."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._report: Report | None = None
        self._until = 0.0
        self._since: dict[str, datetime] = {}
        self._turn = asyncio.Lock()
        self._running: dict[str, asyncio.Task[Sequence[Finding]]] = {}
        self.listening = Listening(app)
        self.forecasts: defaultdict[int, Forecast] = defaultdict(Forecast)
        """By the number of the volume."""

    async def report(self) -> Report:
        """Give how the archive is, within two seconds, whatever hangs: what does not answer does not work."""
        async with self._turn:
            if self._report is None or time.monotonic() >= self._until:
                asked = (self._ask(one) for one in self._app.hooks.implementations("health"))
                self._report = self._made([one for found in await asyncio.gather(*asked) for one in found])
                self._until = time.monotonic() + KEPT_S
            return self._report

    async def checked(self, name: str, check: Check, *, vital: bool = False) -> Sequence[Finding]:
        """Give what the check finds, or that it fails or does not end in time; it is then left to end, and not begun anew."""
        task = self._running.pop(name, None) or asyncio.create_task(check(self._app), name=f"health {name}")
        await asyncio.wait({task}, timeout=CHECK_WITHIN_S)
        if not task.done():
            self._running[name] = task
            return [Finding(name, False, f"it does not answer within {CHECK_WITHIN_S:g} s", vital=vital)]
        try:
            return task.result()
        except CharruaError as error:
            return [Finding(name, False, str(error), vital=vital)]

    async def close(self) -> None:
        """Give up what has not ended."""
        await self.listening.close()
        for task in self._running.values():
            task.cancel()

    async def _ask(self, one: Implementation) -> list[Finding]:
        try:
            return [_finding(given) for given in one.listed(await one.call_async({"app": self._app}))]
        except FAILURES as error:
            if one.plugin not in self._since:  # told once, not every second
                log.exception("health cannot be told", extra={"plugin": one.plugin})
            return [Finding(one.plugin, False, str(error), "the log says more")]

    def _made(self, findings: Sequence[Finding]) -> Report:
        now = datetime.now(UTC)
        failing = {one.name: one for one in findings if not one.works}
        for name in failing.keys() - self._since.keys():
            log.warning("does not work: %s", name, extra={"finding": failing[name].sentence})
        for name in self._since.keys() - failing.keys():
            log.warning("works again: %s", name)
        self._since = {name: self._since.get(name, now) for name in failing}
        return Report(now, tuple(findings), self._since)


def _finding(given: Sequence[Any]) -> Finding:
    """Give what a plugin gave as (name, works, sentence), or more of a finding; ValueError where it is none."""
    if not 3 <= len(given) <= len(Finding._fields):
        raise ValueError("a finding is (name, works, a sentence)")
    name, works, sentence, *rest = given
    return Finding(str(name), bool(works), str(sentence), *rest)
