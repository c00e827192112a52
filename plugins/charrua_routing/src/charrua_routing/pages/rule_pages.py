"""The pages of the rules: their list, one of them with its versions, and the try-out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrua_core import audit
from charrua_core.archive.datasets.indexed import fact
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.types import Level, is_valid_uid
from charrua_core.web import HttpError, Navigation, Page, Request, Shown
from charrua_routing import explaining, facts, rules
from charrua_routing.conditions import IS
from charrua_routing.errors import RuleInvalid, RuleNotFound
from charrua_routing.pages import words
from charrua_routing.times import WEEKDAYS
from charrua_routing.virtual.reports import REPORTS

SERIES_SHOWN, STUDIES_SHOWN = 10, 20
_DATE, _DESCRIPTION, _NAME, _STUDY = "00080020", "00081030", "00100010", "0020000D"
_MODALITIES, _SERIES, _SOP = "00080061", "0020000E", "00080018"


async def show_rules(request: Request) -> Shown:
    """Show all rules in their order."""
    kept = await rules.every(request.app)
    return {"rules": [_told(request, one) for one in kept], "said": words}


async def show_rule(request: Request) -> Shown:
    """Show the form of one rule with its versions, an empty one without a number."""
    number = request.query.first("number")
    versions = await _versions(request, number) if number else []
    kept = versions[0] if versions else None
    document: Mapping[str, Any] = kept.document if kept else {"level": "object", "enabled": True}
    options = dict(document.get("options") or {})
    return {
        "kept": kept,
        "rule": document,
        "when": document.get("when") or {},
        "coerce": options.pop("coerce", None) or {},
        "deidentify": options.pop("deidentify", ""),
        "options": options,
        "versions": versions,
        "destinations": _names(request, document),
        "sources": [REPORTS, *(peer.aet for peer in request.app.peers.all())],
        "signs": IS,
        "weekdays": WEEKDAYS,
        "said": words,
    }


async def show_try(request: Request) -> Shown:
    """Show what the rules in force make of a study that is stored: of one object of each series."""
    uid = request.query.first("study")
    if uid and not is_valid_uid(uid):
        raise HttpError(400, f"{uid[:80]!r} is no UID")
    return {
        "study": uid,
        "studies": await _studies(request),
        "explained": await _explained(request, uid) if uid else [],
        "documents": [dict(kept.document) for kept in await rules.every(request.app)],
        "said": words,
    }


def _told(request: Request, kept: rules.Kept) -> dict[str, Any]:
    """A rule with what is wrong with it."""
    try:
        rule = kept.rule
    except RuleInvalid as error:
        return {"kept": kept, "wrong": str(error), "lost": []}
    lost = [one for one in rule.destinations if request.app.destinations.find(one) is None]
    return {"kept": kept, "wrong": "", "lost": lost}


async def _versions(request: Request, number: str) -> list[rules.Kept]:
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise RuleNotFound(f"there is no rule {number[:80]}")
    return await rules.versions(request.app, int(number))


def _names(request: Request, document: Mapping[str, Any]) -> dict[str, bool]:
    """The destinations by name, with whether the rule sends there: also those that there are not."""
    chosen = document.get("destinations") or []
    chosen = [chosen] if isinstance(chosen, str) else list(chosen)
    known = [one.name for one in request.app.destinations.all()]
    return {name: name in chosen for name in dict.fromkeys([*known, *chosen])}


async def _studies(request: Request) -> list[dict[str, str]]:
    """The studies that came last, of those that who asks may see; with `search` those of a patient's name or number."""
    told = request.query.first("search").strip()[:64]
    keys = {"00100020": OneOf("LO", (told,))} if told and any(map(str.isdigit, told)) else {}
    if told and not keys:
        keys = {_NAME: OneOf("PN", (f"*{told}*",))}
    wanted = frozenset({_STUDY, _NAME, _DATE, _DESCRIPTION, _MODALITIES})
    query = Query(Level.STUDY, keys=keys, return_keys=wanted, limit=STUDIES_SHOWN)
    found = [_of(one.attributes) async for one in search(request.app, query, request.identity)]
    request.app.audit.later(audit.Event.QUERY, "E", request.identity.name, request.origin, routing="try-out")
    return found


def _of(attributes: Mapping[str, Any]) -> dict[str, str]:
    read = {"uid": _STUDY, "name": _NAME, "date": _DATE, "description": _DESCRIPTION, "modalities": _MODALITIES}
    return {name: fact((attributes.get(tag) or {}).get("Value", [])) for name, tag in read.items()}


async def _explained(request: Request, study: str) -> list[dict[str, Any]]:
    app, identity = request.app, request.identity
    present = await rules.understood(app)
    uids = await _one_of_each_series(request, study)
    told = [await explaining.explain(app, await facts.one(app, identity, uid), present) for uid in uids]
    if not told:
        raise HttpError(404, "there is no such study")
    event = audit.Event.INSTANCES_ACCESSED
    app.audit.later(event, "R", identity.name, request.origin, study_uids=[study], routing="explain")
    return told


async def _one_of_each_series(request: Request, study: str) -> list[str]:
    of_study = {_STUDY: OneOf("UI", (study,))}
    of_series = Query(Level.SERIES, keys=of_study, return_keys=frozenset({_SERIES}), limit=SERIES_SHOWN)
    uids = []
    async for series in search(request.app, of_series, request.identity):
        keys = {**of_study, _SERIES: OneOf("UI", (fact(series.attributes[_SERIES]["Value"]),))}
        first = Query(Level.IMAGE, keys=keys, return_keys=frozenset({_SOP}), limit=1)
        uids += [fact(one.attributes[_SOP]["Value"]) async for one in search(request.app, first, request.identity)]
    return uids


PAGES = (
    Page(
        *("/setup/routing", "charrua_routing/rules.html", show_rules, "configure", "Routing rules"),
        navigation=Navigation("setup", "Routing rules", icon="route", order=40),
    ),
    Page("/setup/routing/rule", "charrua_routing/rule.html", show_rule, "configure", "Routing rule"),
    Page(
        *("/setup/routing/try", "charrua_routing/try.html", show_try, "configure", "Try the rules"),
        scripts=("pages/main.ts", "/routing/static/try.js"),
    ),
)
