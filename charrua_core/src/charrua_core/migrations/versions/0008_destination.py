"""Destinations that are no peers, and the moment from which the schedule of a job counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_destination"
down_revision = "0007_delivered"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and the column."""
    op.execute("""
        CREATE TABLE core.destination (
            name text COLLATE "C" PRIMARY KEY,
            kind text COLLATE "C" NOT NULL,
            options jsonb NOT NULL DEFAULT '{}',
            enabled boolean NOT NULL DEFAULT true,
            concurrency smallint NOT NULL DEFAULT 1,
            time_window text COLLATE "C" NOT NULL DEFAULT '',
            timeout_s integer NOT NULL DEFAULT 60
        )
    """)
    op.add_column("job", sa.Column("first_tried_at", sa.DateTime(timezone=True)), schema="core")


def downgrade() -> None:
    """Drop both."""
    op.drop_column("job", "first_tried_at", schema="core")
    op.execute("DROP TABLE core.destination")
