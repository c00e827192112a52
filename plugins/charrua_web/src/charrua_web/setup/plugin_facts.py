"""What is to be told of the plugins: what each is for and does, how far its followers are, what they could not take."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import PackageNotFoundError, metadata, requires
from typing import TYPE_CHECKING, Any

from charrua_core.changes import follower_states, set_aside
from charrua_core.services.breaches import breaches
from charrua_core.services.core import follower_of

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.hooks import Plugin

MOST_SET_ASIDE = 100
ARCHIVE = "charrua"
"""The package that brings all of the house."""


async def all_plugins(app: App) -> list[dict[str, Any]]:
    """Give what is told of each plugin that is loaded."""
    states = {one.name: one for one in await follower_states(app.db)}
    slow = Counter[str]()
    for one in breaches(app.data_dir):
        slow[one.plugin] += one.slow
    given = {hook: Counter(_given(app, hook)) for hook in ("settings", "web_routes", "job_types")}
    pages: dict[str, list[tuple[str, str]]] = {}
    for plugin, page in app.hooks.gather_by_plugin("web_pages", app=app):
        if page.navigation:
            pages.setdefault(plugin, []).append((page.path, page.title))
    return [
        {
            "name": one.name,
            "version": one.version,
            "distribution": one.distribution,
            "summary": summary_of(one.distribution or ("charrua-core" if one.name == "core" else "")),
            "hooks": list(one.hooks),
            "settings": given["settings"][one.name],
            "routes": given["web_routes"][one.name],
            "jobs": given["job_types"][one.name],
            "pages": pages.get(one.name, []),
            "slow": slow[one.name],
            "followers": [states[name] for name in _followers(one) if name in states],
        }
        for one in app.hooks.plugins()
    ]


def _given(app: App, hook: str) -> list[str]:
    arguments = {} if hook == "settings" else {"app": app}
    return [plugin for plugin, _ in app.hooks.gather_by_plugin(hook, **arguments)]


def summary_of(distribution: str) -> str:
    """Give what a package says it is for, "" where it says nothing."""
    try:
        return str(metadata(distribution)["Summary"] or "") if distribution else ""
    except PackageNotFoundError:
        return ""


def missing() -> list[str]:
    """Name the packages of the house that are not installed."""
    try:
        wanted = [one.split(";")[0].split("[")[0].strip() for one in requires(ARCHIVE) or () if "extra ==" not in one]
    except PackageNotFoundError:
        return []
    return sorted({one for one in wanted if one.startswith("charrua-") and not _installed(one)})


def _installed(distribution: str) -> bool:
    try:
        metadata(distribution)
    except PackageNotFoundError:
        return False
    return True


async def other_followers(app: App) -> list[Any]:
    """Give the followers of the change feed that are no plugins': routes, the archive's own transfer syntax; former plugins."""
    known = {name for one in app.hooks.plugins() for name in _followers(one)}
    return [one for one in await follower_states(app.db) if one.name not in known]


def _followers(one: Plugin) -> list[str]:
    return [follower_of(one.name, hook) for hook in one.hooks]


async def aside(app: App) -> list[Any]:
    """Give the changes that were set aside, the newest first."""
    return await set_aside(app.db, MOST_SET_ASIDE)
