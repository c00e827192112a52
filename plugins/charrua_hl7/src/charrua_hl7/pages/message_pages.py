"""The pages of messages: all that came and went, searched, and one of them with its segments and what it has made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from charrua_core.web import Navigation, Page, Request, Shown
from charrua_hl7.intake import calls
from charrua_hl7.intake.messages import Kept, Whole
from charrua_hl7.intake.opened import made_by, segments_of, text_of
from charrua_hl7.marking import N_
from charrua_hl7.outgoing.answer import read_answer
from charrua_hl7.outgoing.errors import AnswerUnreadable
from charrua_hl7.pages.worklist_pages import STATUS_WORDS

PAGE = 50
STATES: Mapping[str, tuple[str, str]] = {
    "waiting": (N_("waiting"), "info"),
    "done": (N_("done"), "good"),
    "failed": (N_("failed"), "bad"),
}
"""States as the page says them, with the look of their pill."""


async def show_messages(request: Request) -> Shown:
    """Show a page of messages, newest first."""
    given = calls.named(request)
    before = request.query.first("before", "0")
    start = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else 0
    kept = await calls.found(request, given, start, PAGE + 1)
    return {
        "messages": kept[:PAGE],
        "given": given,
        "older": urlencode({**given, "before": kept[PAGE - 1].id}) if len(kept) > PAGE else "",
        "is_first": not start,
        "query": urlencode(given),
        "states": STATES,
        "again": _again(given, kept),
    }


def _again(given: Mapping[str, str], kept: list[Kept]) -> dict[str, Any] | None:
    """What has all failed messages of this search done again: of one that asks for failed ones."""
    return {"filter": dict(given)} if kept and given.get("state") == "failed" else None


async def show_message(request: Request) -> Shown:
    """Show one message."""
    number = calls.number_of(request)
    whole = await calls.opened(request, number)
    made = await made_by(request.app, number)
    return {
        "one": whole.message,
        "segments": segments_of(whole.content),
        "text": text_of(whole.content),
        "answer": text_of(whole.answer),
        "answered": _said(whole) if whole.message.direction == "out" else "",
        "made": made,
        "states": STATES,
        "statuses": STATUS_WORDS,
    }


def _said(whole: Whole) -> str:
    """What the receiver says in words."""
    try:
        return read_answer(whole.answer, whole.message.control_id).text if whole.answer else ""
    except AnswerUnreadable:
        return ""


MESSAGE_PAGES = (
    Page(
        *("/setup/hl7", "charrua_hl7/messages.html", show_messages, "configure", "HL7 messages"),
        navigation=Navigation("setup", "HL7 messages", icon="history", order=47, badge="/hl7/messages/failed"),
    ),
    Page(
        *("/setup/hl7/messages/{message}", "charrua_hl7/message.html", show_message, "configure"),
        title=N_("HL7 message"),
    ),
)
