"""The viewer's page: a study with its series as the search tells them, so that the first image waits for nothing else."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from charrua_core.accounts import is_visitor
from charrua_core.archive.search import OneOf, Query, search
from charrua_core.archive.search.columns import UNIQUE_KEYS
from charrua_core.errors import EditInvalid, StudyNotFound
from charrua_core.types import DicomJson, Level, is_valid_uid
from charrua_core.web import Page, Request, Shown
from charrua_web.dicomweb import wado_trail
from charrua_web.dicomweb.qido_returns import without_bulk

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.types import Identity

MOST_BESIDE = 3
"""Studies that may be named to stand beside the one that is opened."""
MOST_SERIES = 2_000
_LOSSY = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91"})
"""Viewing syntaxes of an account that mean pictures."""


async def show(request: Request) -> Shown:
    """Show a study. StudyNotFound where the caller may see none of it."""
    study = await _study(request, request.parameters["study"])
    if study is None:
        raise StudyNotFound
    beside = [uid for uid in request.query.all("with") if is_valid_uid(uid)][:MOST_BESIDE]
    priors = [one for one in [await _study(request, uid) for uid in beside] if one]
    wado_trail.accessed(request, [one["uid"] for one in (study, *priors)], 0)
    return {"study": study["data"], "config": await _config(request, [study, *priors]), "theme": "dark"}


async def _study(request: Request, uid: str) -> dict[str, Any] | None:
    """A study with its series, None where the caller may see none."""
    found = await _found(request, Level.STUDY, uid, 1)
    return (
        {"uid": uid, "data": found[0], "series": await _found(request, Level.SERIES, uid, MOST_SERIES)}
        if found
        else None
    )


async def _found(request: Request, level: Level, study_uid: str, limit: int) -> list[DicomJson]:
    keys = {UNIQUE_KEYS[Level.STUDY]: OneOf("UI", (study_uid,))}
    query = Query(level, keys=keys, limit=limit, by_number=level is Level.SERIES)
    async with aclosing(search(request.app, query, request.identity)) as matches:
        return [without_bulk(found.attributes) async for found in matches]


async def _config(request: Request, studies: list[dict[str, Any]]) -> dict[str, Any]:
    """What the front end reads: see `src/viewer/config.ts`."""
    settings, identity = request.app.settings, request.identity
    lossy_only = not identity.may("retrieve")  # of a link that was shared without the images themselves
    syntax = await _viewing_syntax(request.app, identity)
    lossy = lossy_only or syntax in _LOSSY or settings["viewer_images"] == "lossy"
    return {
        "studies": studies,
        "chosen": {name: _uid(request, name) for name in ("series", "instance")},
        "mode": "lossy" if lossy else "lossless",
        "lossyOnly": lossy_only,
        "transferSyntax": "" if lossy else syntax,
        "download": _download(request),
        "back": "/visit" if is_visitor(identity) else "/studies" if identity.may("query") else "",
        "maySave": identity.may("store"),
        "displaySr": settings["display_sr"],
    }


def _uid(request: Request, name: str) -> str:
    """A UID that the query names, "" where it names none."""
    given = request.query.first(name)
    return given if is_valid_uid(given) else ""


def _download(request: Request) -> str:
    """Where the study is downloaded, "" where it is not."""
    offered = request.app.settings["enable_download"] and request.identity.may("retrieve")
    return f"/studies/{request.parameters['study']}/download" if offered else ""


async def _viewing_syntax(app: App, identity: Identity) -> str:
    """The transfer syntax that somebody's account says their viewer is given, "" for images as they are stored."""
    try:
        return (await app.accounts.get(identity.name)).transfer_syntax
    except EditInvalid:  # a visitor, or somebody for whom a plugin vouches
        return ""


PAGES = (
    Page(
        "/viewer/{study}",
        "charrua_web/viewer.html",
        show,
        "view",
        "Viewer",
        scripts=("viewer/main.ts",),
        compiles=True,
    ),
)
