"""The settings' values in force in this process. SQLAlchemy is imported late: the values are needed before it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrua_core.errors import SettingInvalid
from charrua_core.settings.declaration import Setting
from charrua_core.settings.files import config_path, read_config

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.db import Database

log = logging.getLogger(__name__)

CHANNEL = "charrua_setting"
"""The PostgreSQL channel on which a changed setting's name is told to all processes."""


class Source(StrEnum):
    """Where a value came from, strongest first."""

    ENVIRONMENT = "environment"
    DATABASE = "database"
    FILE = "charrua.toml"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One change of a setting in the database."""

    value: Any
    """As JSON has it; None where it was taken out again, and of a secret always."""
    changed_by: str
    changed_at: datetime


class Settings:
    """The value of each declared setting: `settings["dicom_port"]`.

    A setting whose effect is `now` follows the database while the process runs, so read it where you use it; the others
    keep the value that they had when the process started.
    """

    def __init__(self, declarations: Iterable[Setting], env: Mapping[str, Any], file: Mapping[str, Any]) -> None:
        self.declarations = _by_name(declarations)
        self._layers = {
            Source.ENVIRONMENT: self._parsed(env, Source.ENVIRONMENT),
            Source.DATABASE: {},
            Source.FILE: self._parsed(file, Source.FILE),
            Source.DEFAULT: {name: setting.default for name, setting in self.declarations.items()},
        }
        self._refreshed = False
        self._values: dict[str, Any] = {name: self.found(name)[0] for name in self.declarations}

    @classmethod
    def load(
        cls,
        declarations: Iterable[Setting],
        env: Mapping[str, str],
        toml: Mapping[str, Any] | None = None,
        *,
        allow_unknown: bool = False,
    ) -> Settings:
        """Read environment and file; the database comes with `refresh`.

        `toml` is the file's content, None to look for the file. `allow_unknown` lets names pass that nobody declared, for
        a start without some of the plugins. Raises SettingInvalid.
        """
        declared = _by_name(declarations)
        given_env = {name: env[setting.variable] for name, setting in declared.items() if setting.variable in env}
        if toml is None:
            toml = _read_file(declared, given_env, env)
        unknown = sorted(toml.keys() - declared.keys())
        if unknown and not allow_unknown:
            raise SettingInvalid(f"charrua.toml names settings that do not exist: {', '.join(unknown)}")
        file = {name: value for name, value in toml.items() if name in declared}
        return cls(declared.values(), given_env, file)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Give the setting's value, or the default given where no installed plugin declares it."""
        return self._values.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.declarations

    def declaration(self, name: str) -> Setting:
        """Give the declaration; SettingInvalid if there is none of this name."""
        try:
            return self.declarations[name]
        except KeyError:
            raise SettingInvalid(f"there is no setting {name}; `charrua settings get` lists them") from None

    def refuse_local(self, name: str) -> None:
        """Raise SettingInvalid if the setting is not kept in the database."""
        setting = self.declaration(name)
        if setting.local:
            raise SettingInvalid(
                f"{name} is not kept in the database: set {setting.variable} or write it to charrua.toml"
            )

    def found(self, name: str) -> tuple[Any, Source]:
        """Give the value that the sources say now, and which of them says it."""
        for source, layer in self._layers.items():
            if name in layer:
                return layer[name], source
        raise SettingInvalid(f"there is no setting {name}")

    def pending(self) -> list[str]:
        """Name the settings whose new value takes effect at the next start."""
        return [name for name in self.declarations if self._values[name] != self.found(name)[0]]

    async def changed_since(self, db: Database, moment: datetime) -> list[str]:
        """Name the settings that were changed in the database since a process has started, and wait for its next start."""
        from sqlalchemy import select

        from charrua_core import tables

        changed = select(tables.setting.c.name).where(tables.setting.c.changed_at > moment)
        async with db.reading() as connection:
            names = list(await connection.scalars(changed.order_by(tables.setting.c.name)))
        return [name for name in names if name in self and self.declaration(name).effect != "now"]

    async def refresh(self, db: Database) -> None:
        """Read the database's values: all at the first call, then those whose effect is `now`.

        Raises SettingInvalid at the first call; later an impossible value is logged and the old one stays.
        """
        from sqlalchemy import select

        from charrua_core import tables

        async with db.reading() as connection:
            rows = (await connection.execute(select(tables.setting.c.name, tables.setting.c.value))).all()
        given = {name: value for name, value in rows if name in self.declarations}
        try:
            self._layers[Source.DATABASE] = self._parsed(given, Source.DATABASE)
        except SettingInvalid as error:
            if not self._refreshed:
                raise
            log.error("settings kept as they were: %s", error)
        for name, setting in self.declarations.items():
            if setting.effect == "now" or not self._refreshed:
                self._values[name] = self.found(name)[0]
        self._refreshed = True

    async def store(self, tx: AsyncConnection, name: str, given: Any, changed_by: str) -> Any:
        """Write a value to the database and tell all processes; give the parsed value. SettingInvalid if it does not do.

        None takes the value out of the database again.
        """
        from sqlalchemy import func, select

        self.refuse_local(name)
        setting = self.declaration(name)
        value = None if given is None else setting.parse(given, "you")
        await tx.execute(_statement(setting, value, changed_by))
        await tx.execute(_history(setting, value, changed_by))
        await tx.execute(select(func.pg_notify(CHANNEL, name)))
        return value

    async def history(self, db: Database, name: str, limit: int = 20) -> list[SettingChange]:
        """Give what was written to the database under this name, the latest first."""
        from sqlalchemy import select

        from charrua_core import tables

        table = tables.setting_change
        statement = select(table.c.value, table.c.changed_by, table.c.changed_at).where(table.c.name == name)
        async with db.reading() as connection:
            rows = await connection.execute(statement.order_by(table.c.id.desc()).limit(limit))
            return [SettingChange(*row) for row in rows]

    def _parsed(self, given: Mapping[str, Any], source: Source) -> dict[str, Any]:
        return {
            name: self.declarations[name].parse(value, _source_name(self, name, source))
            for name, value in given.items()
        }


def _statement(setting: Setting, value: Any, changed_by: str) -> Any:
    from sqlalchemy import delete, func
    from sqlalchemy.dialects.postgresql import insert

    from charrua_core import tables

    if value is None:
        return delete(tables.setting).where(tables.setting.c.name == setting.name)
    row = {"value": setting.plain(value), "changed_by": changed_by, "changed_at": func.now()}
    return (
        insert(tables.setting).values(name=setting.name, **row).on_conflict_do_update(index_elements=["name"], set_=row)
    )


def _history(setting: Setting, value: Any, changed_by: str) -> Any:
    """What the setting is from now on; of a secret, that it has changed."""
    from sqlalchemy import insert

    from charrua_core import tables

    kept = None if value is None or setting.secret else setting.plain(value)
    return insert(tables.setting_change).values(name=setting.name, value=kept, changed_by=changed_by)


def _source_name(settings: Settings, name: str, source: Source) -> str:
    if source is Source.ENVIRONMENT:
        return f"the environment ({settings.declarations[name].variable})"
    return {Source.DATABASE: "the database"}.get(source, str(source))


def _by_name(declarations: Iterable[Setting]) -> dict[str, Setting]:
    declared: dict[str, Setting] = {}
    for setting in declarations:
        if declared.setdefault(setting.name, setting) is not setting:
            raise SettingInvalid(f"two plugins declare the setting {setting.name}")
    return declared


def _read_file(declared: Mapping[str, Setting], given_env: Mapping[str, str], env: Mapping[str, str]) -> dict[str, Any]:
    where = declared.get("data_dir")
    data_dir = where.parse(given_env.get("data_dir", where.default), "the environment") if where else Path()
    path = config_path(env, data_dir)
    return read_config(path, declared.values()) if path else {}
