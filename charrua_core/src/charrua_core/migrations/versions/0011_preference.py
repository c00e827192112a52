"""What people have chosen for themselves: columns of a list, saved searches."""

from __future__ import annotations

from alembic import op

revision = "0011_preference"
down_revision = "0010_share"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        CREATE TABLE core.preference (
            owner text NOT NULL,
            name text COLLATE "C" NOT NULL,
            value jsonb NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT preference_pkey PRIMARY KEY (owner, name)
        )
    """)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE core.preference")
