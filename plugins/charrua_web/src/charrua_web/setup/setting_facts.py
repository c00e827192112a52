"""What is to be told of a setting: its value, where that comes from, whether it can be changed here, and what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from charrua_core import tables
from charrua_core.settings import Setting, Source
from charrua_web.setup.saying import N_, Said

if TYPE_CHECKING:
    from charrua_core.app import App

_KINDS: Mapping[Any, str] = {
    bool: "switch",
    int: "whole",
    float: "number",
    str: "text",
    Path: "path",
    timedelta: "duration",
    tuple: "words",
}
_FIRST = (
    "This archive in the DICOM network",
    "Receiving",
    "Query and retrieve",
    "Sending",
    "Routing",
    "Storage",
    "Log-in",
    "Web server",
    "TLS and users of DICOM",
)
"""The topics that stand first, in this order; the others follow as they come."""
TOPICS: Sequence[tuple[Said, Sequence[str]]] = (
    (N_("TLS and users of DICOM"), ("dicom_tls", "dicom_user_identity")),
    (N_("Limits of the DICOM listener"), ("dicom_max", "dicom_reserved")),
    (
        N_("Limits of the DICOM listener"),
        ("dicom_association_timeout", "dicom_pdu_timeout", "dicom_idle_timeout", "dicom_message_timeout"),
    ),
    (N_("This archive in the DICOM network"), ("dicom_", "verify_", "unknown_aets_may")),
    (N_("Storage"), ("data_dir", "volume", "storage_", "undo_", "archive_transfer_syntax")),
    (N_("Processes and database"), ("workers", "database_")),
    (N_("Log"), ("log_",)),
    (N_("Log-in"), ("session_", "password_", "authentication_")),
    (N_("Searching"), ("query_", "search_")),
    (N_("Images"), ("imaging_", "image_")),
    (N_("Sending"), ("send_", "deidentification_")),
)
"""Topics of core's settings, by how the names begin; the first one that fits counts."""
_OF_PLUGINS: Mapping[str, Said] = {
    "qr": N_("Query and retrieve"),
    "storescp": N_("Receiving"),
    "routing": N_("Routing"),
    "ups": N_("Workitems (UPS)"),
    "web": N_("Web server"),
    "ohif": N_("OHIF viewer"),
}


async def all_settings(app: App) -> list[dict[str, Any]]:
    """Give what is told of each setting, in the order of the plugins' declarations, core's first."""
    changed, once_changed = await _changed(app), await _once_changed(app)
    pending = set(app.settings.pending())
    declared = sorted(app.hooks.gather_by_plugin("settings"), key=lambda pair: (pair[0] != "core", pair[0]))
    return [
        {**described(app, plugin, one, changed, pending), "has_history": one.name in once_changed}
        for plugin, one in declared
    ]


def by_topic(settings: Sequence[Mapping[str, Any]]) -> list[tuple[Said, list[Mapping[str, Any]]]]:
    """Give the settings below their headings."""
    found: dict[str, tuple[Said, list[Mapping[str, Any]]]] = {}
    for one in settings:
        topic = topic_of(one["plugin"], one)
        found.setdefault(topic.english, (topic, []))[1].append(one)
    place = {name: number for number, name in enumerate([*_FIRST, *(name for name in found if name not in _FIRST)])}
    return sorted(found.values(), key=lambda pair: place[pair[0].english])


def described(
    app: App, plugin: str, setting: Setting, changed: Mapping[str, tuple[str, datetime]], pending: set[str]
) -> dict[str, Any]:
    """Give what is told of a setting, as JSON has it. A secret's value is never among it."""
    value, source = app.settings.found(setting.name)
    by, at = changed.get(setting.name, ("", None)) if source is Source.DATABASE else ("", None)
    return {
        "name": setting.name,
        "plugin": plugin,
        "kind": _kind(setting),
        "help": setting.help,
        "unit": setting.unit,
        "choices": list(setting.choices) if setting.choices else None,
        "minimum": setting.minimum,
        "maximum": setting.maximum,
        "value": None if setting.secret else setting.plain(value),
        "shown": setting.show(value),
        "in_force": setting.show(app.settings[setting.name]),
        "default": "" if setting.secret else setting.show(setting.default),
        "source": str(source),
        "variable": setting.variable,
        "effect": "at once" if setting.effect == "now" else "at restart",
        "fixed": fixed(setting, source),
        "secret": setting.secret,
        "waits": setting.name in pending,
        "changed_by": by,
        "changed_at": at.isoformat(timespec="seconds") if at else None,
        "since": setting.since,
    }


def topic_of(plugin: str, setting: Mapping[str, Any]) -> Said:
    """Give the heading under which a setting stands."""
    if plugin != "core":
        return _OF_PLUGINS.get(plugin) or Said(plugin)
    return next((topic for topic, starts in TOPICS if setting["name"].startswith(tuple(starts))), Said("core"))


def fixed(setting: Setting, source: Source) -> str:
    """Give where a setting is decided that cannot be changed here: `environment` or `machine`; "" where it can."""
    if source is Source.ENVIRONMENT:
        return "environment"
    return "machine" if setting.local else ""


def _kind(setting: Setting) -> str:
    if setting.choices and setting.type is str:
        return "choice"
    if setting.type is int and setting.unit == "bytes":
        return "bytes"
    return "choices" if setting.choices else _KINDS[setting.type]


async def _changed(app: App) -> dict[str, tuple[str, datetime]]:
    table = tables.setting
    async with app.db.reading() as connection:
        rows = await connection.execute(select(table.c.name, table.c.changed_by, table.c.changed_at))
        return {name: (by, at) for name, by, at in rows}


async def _once_changed(app: App) -> set[str]:
    async with app.db.reading() as connection:
        return set(await connection.scalars(select(tables.setting_change.c.name).distinct()))
