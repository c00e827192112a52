"""The page of performed procedure steps: what modalities say they have done, and of what no order is known."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from charrua_core import audit
from charrua_core.web import Page, Request
from charrua_core.web import Shown as ShownPage
from charrua_hl7.marking import N_
from charrua_hl7.pages.worklist_pages import PAGE_SCRIPTS, STATUS_WORDS
from charrua_hl7.performed.listing import Shown, asked_of, listed
from charrua_hl7.worklist.answers import texts

STATES: Mapping[str, tuple[str, str]] = {
    "IN PROGRESS": (N_("in progress"), "busy"),
    "COMPLETED": (N_("completed"), "good"),
    "DISCONTINUED": (N_("discontinued"), "warn"),
}
"""Performed Procedure Step Status as the page says it, with the look of its pill."""
WHY_NONE = frozenset({"patient_of_another", "step_unclear"})
"""Notes that say why a step has no entry."""
_ASKED = ("search", "state", "entry")


async def show_steps(request: Request) -> ShownPage:
    """Show a page of steps, the newest first."""
    asked = asked_of(request.query)
    found = await listed(request.app, request.identity, asked)
    given = {name: request.query.first(name)[:200] for name in _ASKED}
    studies = sorted({uid for one in found.steps for uid in one.study_uids})
    event, who = audit.Event.PROCEDURE_RECORD, request.identity.name
    request.app.audit.later(event, "R", who, request.origin, study_uids=studies, steps=len(found.steps))
    return {
        "steps": found.steps,
        "next": found.next,
        "asked": given,
        "address": lambda **other: "?" + urlencode({name: to for name, to in {**given, **other}.items() if to}),
        "states": STATES,
        "statuses": STATUS_WORDS,
        "why_none": WHY_NONE,
        "texts": texts,
        "looked_for": _looked_for,
    }


def _looked_for(step: Shown) -> str:
    """Where on the worklist the entry of a step may be found, "" where nothing tells its patient or its order."""
    word = step.accession_number or step.patient_id
    return f"/worklist?{urlencode({'search': word, 'date': 'all', 'status': 'all'})}" if word else ""


PERFORMED_PAGES = (
    Page(
        *("/worklist/steps", "charrua_hl7/performed_steps.html", show_steps, "worklist", "Performed steps"),
        scripts=PAGE_SCRIPTS,
    ),
)
