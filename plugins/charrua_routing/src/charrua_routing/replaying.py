"""Past objects against other rules: what would go elsewhere. Nothing is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from charrua_core.types import Identity
from charrua_routing.deciding import destinations, taking
from charrua_routing.facts import received
from charrua_routing.rule import Rule

if TYPE_CHECKING:
    from charrua_core.app import App

MOST_OBJECTS = 100_000
OBJECTS_AT_ONCE = 20
MOST_SHOWN = 100
"""Objects that are named one by one."""


async def replay(
    app: App,
    identity: Identity,
    present: Sequence[Rule],
    edited: Sequence[Rule],
    since: datetime,
    until: datetime,
    at_most: int = MOST_OBJECTS,
) -> dict[str, Any]:
    """Give, as JSON, where objects that came in this time go by the present and by the edited rules.

    `cut` says that there are more than `at_most`.
    """
    number, differ, cut = 0, 0, False
    gained, lost, taken = Counter[str](), Counter[str](), {rule.name: 0 for rule in edited}
    shown: list[dict[str, Any]] = []
    async with aclosing(received(app, identity, since, until)) as objects:
        async for facts in objects:
            if number == at_most:
                cut = True
                break
            number += 1
            if number % OBJECTS_AT_ONCE == 0:
                await asyncio.sleep(0)  # others wait for this process too
            for rule in taking(edited, facts):
                taken[rule.name] += 1
            before, after = destinations(present, facts), destinations(edited, facts)
            gained.update(after - before)
            lost.update(before - after)
            if before != after:
                differ += 1
                if len(shown) < MOST_SHOWN:
                    shown.append(_difference(facts.stored.study_uid, facts.stored.sop_instance_uid, before, after))
    told = {"objects": number, "cut": cut, "differ": differ, "gained": dict(gained), "lost": dict(lost)}
    return {**told, "taken": taken, "differences": shown}


def _difference(study_uid: str, uid: str, before: frozenset[str], after: frozenset[str]) -> dict[str, Any]:
    return {"study_uid": study_uid, "sop_instance_uid": uid, "before": sorted(before), "after": sorted(after)}
