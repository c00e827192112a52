"""Messages, worklist, mappings, performed steps and receivers."""

from __future__ import annotations

from alembic import op

from charrua_hl7.tables import metadata

revision = "0001_hl7"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    metadata.create_all(op.get_bind())
