"""What alembic runs for each package of migrations: on the connection and for the schema that `migrate.py` gives."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from charrua_core.tables import Xid8

given = context.config.attributes


def _of_the_schema(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "schema" or name == given["schema"]


def _written(kind: str, item: object, generated: Any) -> str | Literal[False]:
    if kind == "type" and isinstance(item, Xid8):
        generated.imports.add("from charrua_core.tables import Xid8")
        return "Xid8()"
    return False


context.configure(
    connection=given["connection"],
    target_metadata=given.get("metadata"),
    version_table_schema=given["schema"],
    include_schemas=True,
    include_name=_of_the_schema,
    render_item=_written,
)
with context.begin_transaction():
    context.run_migrations()
