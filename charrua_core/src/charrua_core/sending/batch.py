"""The objects of one job, and what became of them: kept in the job, so that another try sends nothing twice."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from charrua_core.jobs import GiveUp
from charrua_core.sending import delivered
from charrua_core.sending.kinds import SendFailed

if TYPE_CHECKING:
    from charrua_core.app import App


@dataclass(slots=True)
class Batch:
    """The objects of one job, each with its version, and what became of them."""

    payload: Mapping[str, Any]
    waiting: list[list[Any]]
    sent: list[list[Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    taken_since_marked: list[str] = field(default_factory=list)

    @property
    def destination(self) -> str:
        """The name of where they go."""
        return str(self.payload["destination"])

    def uids(self) -> set[str]:
        """The SOP Instance UIDs of what is still to be sent."""
        return {uid for uid, _ in self.waiting}

    def taken(self, uid: str) -> None:
        """Note that an object is over there."""
        self.taken_since_marked.append(uid)
        self.done_with(uid)

    def done_with(self, uid: str) -> None:
        """Note that nothing is left to send of an object: it is over there, or gone from here."""
        self.sent += [one for one in self.waiting if one[0] == uid]
        self.waiting = [one for one in self.waiting if one[0] != uid]

    async def mark(self, app: App) -> None:
        """Keep in the job what is still to be sent."""
        state = {"objects": self.waiting, "sent": self.sent}
        taken, self.taken_since_marked = self.taken_since_marked, []
        async with app.db.transaction() as tx:
            await delivered.note(tx, self.destination, taken)
            await tx.execute(_MARK, {"batch": self.payload["batch"], "state": orjson.dumps(state).decode()})

    async def settle(self, app: App) -> None:
        """End the job: GiveUp where all that is left will never be taken, SendFailed where something is tried again.

        What will never be taken is a dead job of its own then.
        """
        if not self.failed and not self.refused:
            await self.mark(app)
            return
        if not self.failed:
            raise GiveUp(self._said(self.refused))
        if self.refused:
            await self._bury(app)
        raise SendFailed(self._said(self.failed))

    def _said(self, why: Mapping[str, str]) -> str:
        uid, reason = next(iter(why.items()))
        return f"{self.destination} did not take {len(why)} objects; {uid}: {reason}"

    async def _bury(self, app: App) -> None:
        dead = {**self.payload, "batch": secrets.token_hex(16), "sent": []}
        dead["objects"] = [one for one in self.waiting if one[0] in self.refused]
        self.waiting = [one for one in self.waiting if one[0] not in self.refused]
        state = {"objects": self.waiting, "sent": self.sent}
        given = {"batch": self.payload["batch"], "dead": orjson.dumps(dead).decode(), "now": app.jobs.clock.now()}
        async with app.db.transaction() as tx:
            await tx.execute(_BURY, {**given, "why": self._said(self.refused)[:500]})
            await tx.execute(_MARK, {"batch": self.payload["batch"], "state": orjson.dumps(state).decode()})


_MARK = text("""
    UPDATE core.job SET payload = payload || CAST(:state AS jsonb)
    WHERE kind = 'send' AND state = 'running' AND payload ->> 'batch' = :batch
""")

_BURY = text("""
    INSERT INTO core.job (kind, lane, payload, state, priority, attempts, last_error, run_at, created_at, finished_at)
    SELECT kind, lane, CAST(:dead AS jsonb), 'dead', priority, attempts + 1, :why, run_at, created_at, :now
    FROM core.job WHERE kind = 'send' AND state = 'running' AND payload ->> 'batch' = :batch
""")
