"""The pages about people: all users, one of them, and what each has for themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.datadict import dictionary_description, tag_for_keyword

from charrua_core.accounts import ROLES, VIEWING_SYNTAXES, Account
from charrua_core.archive.search import filterable
from charrua_core.errors import UserNotFound
from charrua_core.web import HttpError, Navigation, Page, Request, Shown
from charrua_web.people import found
from charrua_web.people.key_calls import about_me, sessions_of, tokens_of
from charrua_web.rendering.words import N_, gettext

SHOWN = 500
"""Users that the list shows: a search finds the others."""
WHAT_ROLES_MAY: Mapping[str, str] = {
    "Admin": N_("Everything: settings, users, studies."),
    "Manager": N_("Edits, assigns and deletes studies, sends and prints; no settings, no users."),
    "Radiologist": N_("Writes and signs reports, sends, shares and prints."),
    "Referring": N_("Looks at studies and final reports."),
    "General": N_("Looks at studies and final reports."),
}
"""The rights of each role (manual 7.2), in a sentence."""
_OF_CORE = (
    *(N_("as stored"), N_("Explicit VR Little Endian"), N_("Implicit VR Little Endian")),
    *(N_("JPEG Lossless"), N_("JPEG Lossy"), N_("JPEG 2000 Lossless"), N_("JPEG 2000 Lossy")),
)
_ATTRIBUTES = (
    *(N_("Accession Number"), N_("Body Part Examined"), N_("Institution Name"), N_("Issuer of Patient ID")),
    *(N_("Modality"), N_("Patient ID"), N_("Patient's Name"), N_("Patient's Sex"), N_("Referring Physician's Name")),
    *(N_("Series Description"), N_("Series Instance UID")),
    *(N_("Study Description"), N_("Study ID"), N_("Study Instance UID")),
)
TRANSLATED = frozenset({*_OF_CORE, *_ATTRIBUTES})
"""What VIEWING_SYNTAXES of the core and PS3.6 call things: marked here, where the catalogue is that translates them."""


async def show_people(request: Request) -> Shown:
    """Show the users that are looked for, and who is logged in."""
    sought = found.Sought.of(request.query)
    users = await found.users(request.app, sought)
    return {
        "users": users[:SHOWN],
        "count": len(users),
        "sought": sought,
        "roles": ROLES,
        "seen": in_words,
        "state": state_of,
        "sessions": await _sessions(request, ""),
        "tokens": await tokens_of(request, ""),
    }


async def show_user(request: Request) -> Shown:
    """Show one user, or the form for a new one."""
    name = request.query.first("name")
    try:
        account = await request.app.accounts.get(name) if name else None
    except UserNotFound:
        raise HttpError(404, "there is no such user") from None
    return {
        "user": account,
        "roles": WHAT_ROLES_MAY,
        "keywords": {keyword: keyword_in_words(keyword) for keyword in filterable()},
        "syntaxes": VIEWING_SYNTAXES,
        "peers": [peer.aet for peer in request.app.peers.all()],
        "shortest": request.app.settings["password_length"],
        "sessions": await _sessions(request, name) if account else [],
        "tokens": await tokens_of(request, name) if account else [],
        "is_own": name == request.identity.name,
        "quoted": quoted,
    }


async def show_me(request: Request) -> Shown:
    """Show what is known of who looks, and what they have open."""
    name = request.identity.name
    return {
        "me": await about_me(request),
        "seen": in_words,
        "syntaxes": VIEWING_SYNTAXES,
        "what_roles_may": WHAT_ROLES_MAY,
        "sessions": await _sessions(request, name),
        "tokens": await tokens_of(request, name),
    }


async def _sessions(request: Request, user: str) -> list[dict[str, Any]]:
    told = await sessions_of(request, user)
    return [{**one, "browser": browser_in_words(one["browser"])} for one in told]


def in_words(row_filter: Mapping[str, Any] | None) -> str:
    """Give a filter in words, "" where it admits all: `Modality: CR or DX · Institution Name: NORTE*`."""
    parts = (f"{keyword_in_words(keyword)}: {', '.join(values)}" for keyword, values in (row_filter or {}).items())
    return " · ".join(parts)


def quoted(values: Sequence[str]) -> str:
    """Give values as the form writes them, parted by commas; one that has a comma stands in quotes."""
    return ", ".join(f'"{value}"' if "," in value else value for value in values)


def keyword_in_words(keyword: str) -> str:
    """Give an attribute's name (PS3.6 6), in the reader's language where it is one of TRANSLATED."""
    tag = tag_for_keyword(keyword)
    return keyword if tag is None else gettext(dictionary_description(tag))


def browser_in_words(agent: str) -> str:
    """Give browser and system of the header User-Agent: `Firefox, Windows`; programs as they call themselves."""
    browsers = (
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    )
    systems = ("Windows", "Android", "iPhone", "iPad", "Mac OS", "Linux")
    browser = next((name for sign, name in browsers if sign in agent), agent.partition(" ")[0][:40])
    system = next((one for one in systems if one in agent), "")
    return f"{browser}, {system}" if system else browser


def state_of(account: Account) -> tuple[str, str]:
    """Give what is to be said of an account's state, and of which kind that is."""
    if account.disabled:
        return N_("Disabled"), "bad"
    return (N_("Must change password"), "warn") if account.must_change_password else (N_("Active"), "good")


PAGES = (
    Page(
        *("/setup/people", "charrua_web/people.html", show_people, "manage_users", "People"),
        navigation=Navigation("setup", "People", icon="people", order=20),
    ),
    Page("/setup/people/user", "charrua_web/user.html", show_user, "manage_users", "User"),
    Page("/me", "charrua_web/me.html", show_me, "change_password", "You"),
)
