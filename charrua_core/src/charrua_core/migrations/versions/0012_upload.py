"""Uploads from browsers that are under way."""

from __future__ import annotations

from alembic import op

revision = "0012_upload"
down_revision = "0011_preference"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        CREATE TABLE core.upload (
            id uuid PRIMARY KEY,
            who text NOT NULL,
            address text NOT NULL DEFAULT '',
            name text NOT NULL DEFAULT '',
            key text COLLATE "C" NOT NULL,
            size_bytes bigint NOT NULL,
            received_bytes bigint NOT NULL DEFAULT 0,
            volume_id smallint NOT NULL REFERENCES core.volume (id),
            state text COLLATE "C" NOT NULL DEFAULT 'receiving',
            entries_done integer NOT NULL DEFAULT 0,
            results jsonb NOT NULL DEFAULT '{}',
            error text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL DEFAULT now(),
            changed_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute(
        "CREATE UNIQUE INDEX upload_unfinished ON core.upload (who, key) WHERE state IN ('receiving', 'storing')"
    )
    op.execute("CREATE INDEX upload_by_who ON core.upload (who, created_at)")
    op.execute("CREATE INDEX upload_by_change ON core.upload (changed_at)")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE core.upload")
