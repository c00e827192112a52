"""The pages of Set-up."""

from __future__ import annotations

from urllib.parse import urlencode

from charrua_core.web import Navigation, Page, Request, Shown
from charrua_web.rendering.words import N_
from charrua_web.setup import overview
from charrua_web.setup.audit_search import asked_of, page_of, shown
from charrua_web.setup.audit_words import EVENTS
from charrua_web.setup.certificate_facts import all_certificates
from charrua_web.setup.peer_calls import shown as peer_shown
from charrua_web.setup.plugin_facts import all_plugins, aside, missing, other_followers
from charrua_web.setup.setting_facts import all_settings, by_topic
from charrua_web.setup.storage_facts import check_of, database_of, jobs_of, volumes_of
from charrua_web.setup.trouble_words import told

RECORDS = 100
_FIELDS = ("since", "until", "who", "event", "study", "address", "outcome")


async def show_settings(request: Request) -> Shown:
    """Give all settings by topic."""
    return {"topics": by_topic(await all_settings(request.app)), "q": request.query.first("q")[:80]}


async def show_peers(request: Request) -> Shown:
    """Give the remote servers."""
    return {"peers": [peer_shown(request, one) for one in request.app.peers.all()]}


async def show_troubles(request: Request) -> Shown:
    """Give what went wrong: new, seen, muted."""
    found = [(one, told(request.app, one)) for one in await request.app.troubles.all()]
    return {
        "groups": [
            ("new", [pair for pair in found if pair[0].is_new]),
            ("seen", [pair for pair in found if not pair[0].is_new and not pair[0].muted]),
            ("muted", [pair for pair in found if pair[0].muted]),
        ]
    }


async def show_plugins(request: Request) -> Shown:
    """Give the plugins."""
    app = request.app
    return {
        "plugins": await all_plugins(app),
        "others": await other_followers(app),
        "left_out": sorted(app.hooks.blocked),
        "missing": missing(),
        "aside": await aside(app),
    }


async def show_storage(request: Request) -> Shown:
    """Give volumes, database, jobs and the last check."""
    app = request.app
    return {
        "volumes": await volumes_of(app),
        "database": await database_of(app),
        "jobs": await jobs_of(app),
        "check": await check_of(app),
        "next_volume": app.settings.found("volume")[0],
        "reserve": app.settings["storage_reserve_bytes"],
    }


async def show_certificates(request: Request) -> Shown:
    """Give the certificates."""
    return {"certificates": await all_certificates(request.app)}


async def show_audit(request: Request) -> Shown:
    """Give a page of the audit trail."""
    given = {name: value for name in _FIELDS if (value := request.query.first(name))}
    rows, more = await page_of(request, asked_of(request), RECORDS)
    return {
        "records": [shown(row) for row in rows],
        "given": given,
        "events": EVENTS,
        "query": urlencode(given),
        "older": urlencode({**given, "before": more}) if more else "",
        "is_first": "before" not in request.query,
    }


def _at(label: str, icon: str, order: int, badge: str = "") -> Navigation:
    return Navigation("setup", label, icon, order, badge)


_OVERVIEW = N_("Overview")

PAGES = (
    Page(
        "/setup",
        "charrua_web/setup_overview.html",
        overview.show,
        "configure",
        "Set-up",
        _at(_OVERVIEW, "health", 0),
    ),
    Page(
        "/setup/troubles",
        "charrua_web/setup_troubles.html",
        show_troubles,
        "configure",
        "Troubles",
        _at("Troubles", "warn", 5, "/troubles/count"),
    ),
    Page(
        "/setup/settings",
        "charrua_web/setup_settings.html",
        show_settings,
        "configure",
        "Settings",
        _at("Settings", "sliders", 10),
    ),
    Page(
        "/setup/peers",
        "charrua_web/setup_peers.html",
        show_peers,
        "configure",
        "Remote servers",
        _at("Remote servers", "server", 20),
    ),
    Page(
        "/setup/storage",
        "charrua_web/setup_storage.html",
        show_storage,
        "configure",
        "Storage",
        _at("Storage", "storage", 50),
    ),
    Page(
        "/setup/certificates",
        "charrua_web/setup_certificates.html",
        show_certificates,
        "configure",
        "Certificates",
        _at("Certificates", "lock", 60),
    ),
    Page(
        "/setup/plugins",
        "charrua_web/setup_plugins.html",
        show_plugins,
        "configure",
        "Plugins",
        _at("Plugins", "plug", 70),
    ),
    Page(
        "/setup/audit",
        "charrua_web/setup_audit.html",
        show_audit,
        "read_audit",
        "Audit trail",
        _at("Audit trail", "audit", 80),
    ),
)
