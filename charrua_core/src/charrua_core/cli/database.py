"""`charrua database`: make it, bring it up to date, look at it."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import Connection

from charrua_core.app import App
from charrua_core.cli.running import table, with_app


@click.group()
def database() -> None:
    """The database of the index."""


@database.command()
@with_app
async def create(app: App) -> None:
    """Make the database and its tables; does no harm to one that is there."""
    click.echo(f"the database is ready{_where(app)}")


@database.command()
@with_app
async def upgrade(app: App) -> None:
    """Bring all tables to the newest version."""
    click.echo(f"the database is at its newest version{_where(app)}")


@database.command()
@with_app
async def status(app: App) -> None:
    """Show the version of each package's tables."""
    async with app.db.transaction() as tx:
        found = await tx.run_sync(_revisions, app.hooks.gather("migrations"))
    table(found, "PACKAGE", "REVISION")


def _revisions(connection: Connection, packages: list[str]) -> list[tuple[Any, ...]]:
    from alembic.runtime.migration import MigrationContext

    from charrua_core.db.migrate import lineage

    rows: list[tuple[Any, ...]] = []
    for package in packages:
        options = {"version_table_schema": lineage(connection, package).attributes["schema"]}
        heads = MigrationContext.configure(connection, opts=options).get_current_heads()
        rows.append((package, " ".join(heads)))
    return rows


def _where(app: App) -> str:
    return "" if app.settings["database_url"] else f" in {app.settings['data_dir']}"
