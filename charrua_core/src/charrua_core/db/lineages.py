"""The migrations that a package brings, as far as can be told without alembic: where they lie, and which is the newest."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import asyncpg

_NUMBERED = re.compile(r"(\d{4})(_\w+)?")


def schema_of(migrations: ModuleType) -> str:
    """Give the name of the schema that a package of migrations makes."""
    schema: str = getattr(migrations, "SCHEMA", migrations.__name__.split(".")[-2])
    return schema


def versions_of(migrations: ModuleType) -> Path:
    """Give the folder of the package's revisions."""
    return Path(migrations.__path__[0], "versions")


async def is_newest(connection: asyncpg.Connection, package: str) -> bool:
    """Whether the schema is certainly at the package's newest revision; if not, alembic has to look."""
    migrations = importlib.import_module(package)
    newest = _newest(versions_of(migrations))
    table = f'"{schema_of(migrations)}".alembic_version'
    if newest is None or await connection.fetchval("SELECT to_regclass($1)", table) is None:
        return False
    return [row[0] for row in await connection.fetch(f"SELECT version_num FROM {table}")] == [newest]  # noqa: S608


def _newest(versions: Path) -> str | None:
    """Give the name of the last file, where all are numbered one after the other, each number once; else None.

    Files are named after their revision (`python -m charrua_core.db.revision` does so); one that is named otherwise is no
    version that the database could have.
    """
    names = sorted(file.stem for file in versions.glob("*.py") if file.stem != "__init__")
    numbers = [int(found[1]) if (found := _NUMBERED.fullmatch(name)) else 0 for name in names]
    return names[-1] if numbers and numbers == list(range(1, len(numbers) + 1)) else None
