"""Bring schemas to their newest version: one PostgreSQL schema, alembic lineage and version table per package.

A package of migrations holds a folder `versions`. Its `__init__.py` may name its `SCHEMA` (else that is the last part of the
name of the package around it) and the `METADATA` of its tables, which new revisions are compared with.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.schema import CreateSchema

from charrua_core.db import lineages
from charrua_core.db.session import lock_key
from charrua_core.errors import SchemaTooNew


def upgrade(connection: Connection, packages: list[str]) -> None:
    """Upgrade the packages' schemas within the connection's transaction, one process at a time. Raises SchemaTooNew."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("charrua upgrade")})
    for package in packages:
        config = lineage(connection, package)
        connection.execute(CreateSchema(config.attributes["schema"], if_not_exists=True))
        if _is_behind(config):
            command.upgrade(config, "head")


def lineage(connection: Connection, package: str) -> Config:
    """Give alembic's configuration of the package's lineage on this connection."""
    migrations = importlib.import_module(package)
    config = Config()
    config.set_main_option("script_location", _escaped(Path(__file__).with_name("lineage")))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s")
    config.set_main_option("version_locations", _escaped(lineages.versions_of(migrations)))
    config.attributes.update(
        connection=connection,
        schema=lineages.schema_of(migrations),
        metadata=getattr(migrations, "METADATA", None),
    )
    return config


def _is_behind(config: Config) -> bool:
    connection, schema = config.attributes["connection"], config.attributes["schema"]
    scripts = ScriptDirectory.from_config(config)
    found = MigrationContext.configure(connection, opts={"version_table_schema": schema}).get_current_heads()
    for revision in found:
        try:
            scripts.get_revision(revision)
        except CommandError as error:
            raise SchemaTooNew(f"schema {schema} is of version {revision}, which this release does not know") from error
    return set(found) != set(scripts.get_heads())


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
