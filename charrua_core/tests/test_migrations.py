"""The schemas: made, brought up to date, kept apart per package, and never touched when a newer release wrote them."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from charrua_core import tables
from charrua_core.db import Database
from charrua_core.errors import SchemaTooNew
from charrua_core.testing.database import TestServer

CORE = "charrua_core.migrations"

REVISION = """
revision = "{revision}"
down_revision = {down}

def upgrade():
    from alembic import op
    op.execute("{statement}")
"""


@pytest.fixture
async def empty_db(postgresql_server: TestServer) -> AsyncIterator[Database]:
    """A database without any table."""
    url = postgresql_server.empty()
    db = await Database.open(
        {
            "database_url": url,
            "database_pool_size": 5,
            "database_reading_pool_size": 2,
            "database_statement_timeout": timedelta(seconds=30),
        }
    )
    yield db
    await db.close()
    postgresql_server.drop(url)


class Plugin:
    """A plugin's package of migrations, on disk."""

    name = "charrua_sample.migrations"

    def __init__(self, folder: Path) -> None:
        self.versions = folder / "charrua_sample" / "migrations" / "versions"
        self.versions.mkdir(parents=True)
        for package in (self.versions.parent.parent, self.versions.parent):
            (package / "__init__.py").touch()

    def add(self, revision: str, statement: str, down: str | None = None) -> None:
        (self.versions / f"{revision}.py").write_text(
            REVISION.format(revision=revision, down=repr(down), statement=statement)
        )


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    sample = Plugin(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    for name in ("charrua_sample", "charrua_sample.migrations"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    sample.add("0001", "CREATE TABLE charrua_sample.thing (id int)")
    return sample


def differences(connection: Connection) -> list[Any]:
    def of_core(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "schema" or name == "core"

    options = {"include_schemas": True, "include_name": of_core, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    found = compare_metadata(context, tables.metadata)
    return [one for one in found if "alembic_version" not in str(one)]


async def value(db: Database, query: str) -> Any:
    async with db.reading() as connection:
        return (await connection.execute(text(query))).scalar()


async def test_the_migrations_make_the_tables_as_they_are_declared(empty_db: Database) -> None:
    await empty_db.upgrade([CORE])
    async with empty_db.transaction() as tx:
        assert await tx.run_sync(differences) == []


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(empty_db: Database) -> None:
    await empty_db.upgrade([CORE])
    before = await value(empty_db, "SELECT xmin::text || version_num FROM core.alembic_version")
    await empty_db.upgrade([CORE])
    assert await value(empty_db, "SELECT xmin::text || version_num FROM core.alembic_version") == before


async def test_a_start_with_nothing_to_upgrade_does_without_alembic(empty_db: Database, plugin: Plugin) -> None:
    await empty_db.upgrade([CORE, plugin.name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "charrua_core.db.migrate", None)
        await empty_db.upgrade([CORE, plugin.name])
        plugin.add("0002", "SELECT 1", down="0001")
        with pytest.raises(ImportError):
            await empty_db.upgrade([CORE, plugin.name])


@pytest.mark.parametrize("added", ["0003", "second", "0001_b"])
async def test_revisions_that_are_not_numbered_one_after_the_other_are_found(
    empty_db: Database, plugin: Plugin, added: str
) -> None:
    await empty_db.upgrade([plugin.name])
    plugin.add(added, "ALTER TABLE charrua_sample.thing ADD COLUMN name text", down="0001")
    await empty_db.upgrade([plugin.name])
    assert await value(empty_db, "SELECT version_num FROM charrua_sample.alembic_version") == added


async def test_each_package_has_a_schema_and_a_version_of_its_own(empty_db: Database, plugin: Plugin) -> None:
    await empty_db.upgrade([CORE, plugin.name])
    assert await value(empty_db, "SELECT version_num FROM charrua_sample.alembic_version") == "0001"
    await empty_db.upgrade([CORE])  # the plugin is uninstalled
    plugin.add("0002", "ALTER TABLE charrua_sample.thing ADD COLUMN name text", down="0001")
    await empty_db.upgrade([CORE, plugin.name])
    assert await value(empty_db, "SELECT version_num FROM charrua_sample.alembic_version") == "0002"


async def test_a_schema_of_a_newer_release_is_refused_and_left_alone(empty_db: Database, plugin: Plugin) -> None:
    await empty_db.upgrade([plugin.name])
    async with empty_db.driver() as connection:
        await connection.execute("UPDATE charrua_sample.alembic_version SET version_num = '0009'")
    with pytest.raises(SchemaTooNew, match="0009"):
        await empty_db.upgrade([CORE, plugin.name])
    assert await value(empty_db, "SELECT to_regclass('core.study')::text") is None


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty_db: Database, plugin: Plugin) -> None:
    await empty_db.upgrade([plugin.name])
    plugin.add("0002", "ALTER TABLE charrua_sample.thing ADD COLUMN name text", down="0001")
    plugin.add("0003", "SELECT 1/0", down="0002")
    with pytest.raises(Exception, match="division by zero"):
        await empty_db.upgrade([plugin.name])
    assert await value(empty_db, "SELECT version_num FROM charrua_sample.alembic_version") == "0001"
    async with empty_db.transaction() as tx:
        await tx.execute(text("SELECT id FROM charrua_sample.thing"))


async def test_two_processes_may_upgrade_at_the_same_time(empty_db: Database, plugin: Plugin) -> None:
    await asyncio.gather(*(empty_db.upgrade([plugin.name]) for _ in range(3)))
    assert await value(empty_db, "SELECT version_num FROM charrua_sample.alembic_version") == "0001"
