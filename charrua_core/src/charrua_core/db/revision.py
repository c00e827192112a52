"""Write a new revision: `python -m charrua_core.db.revision charrua_core.migrations "add priority"`.

A database made for the purpose is brought to the newest version there is, and the revision is what its tables then lack.
Read what was written before you commit it.
"""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from datetime import timedelta
from pathlib import Path

import click
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.schema import CreateSchema

from charrua_core.db.database import Database
from charrua_core.db.migrate import lineage, upgrade


@click.command(help=__doc__)
@click.argument("package")
@click.argument("message")
def main(package: str, message: str) -> None:
    """Write a revision of the package of migrations."""
    versions = Path(importlib.import_module(package).__path__[0], "versions")
    number = len(list(versions.glob("[0-9]*.py"))) + 1
    asyncio.run(_write(package, message, f"{number:04}_{message.replace(' ', '_')}"))


async def _write(package: str, message: str, revision: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = await Database.open(
            {
                "data_dir": folder,
                "database_url": "",
                "database_pool_size": 2,
                "database_reading_pool_size": 2,
                "database_statement_timeout": timedelta(minutes=1),
            }
        )
        try:
            async with db.transaction() as tx:
                await tx.run_sync(_compare, package, message, revision)
        finally:
            await db.close()


def _compare(connection: Connection, package: str, message: str, revision: str) -> None:
    upgrade(connection, [package])
    config = lineage(connection, package)
    connection.execute(CreateSchema(config.attributes["schema"], if_not_exists=True))
    command.revision(config, message, autogenerate=True, rev_id=revision)


if __name__ == "__main__":
    main()
