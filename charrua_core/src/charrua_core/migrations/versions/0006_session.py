"""Browsers that are logged in."""

from __future__ import annotations

from alembic import op

revision = "0006_session"
down_revision = "0005_as_received"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        CREATE TABLE core.session (
            digest bytea PRIMARY KEY,
            account text REFERENCES core.account (name) ON DELETE CASCADE,
            name text NOT NULL,
            identity jsonb,
            address text NOT NULL,
            agent text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            used_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX ix_core_session_account ON core.session (account)")


def downgrade() -> None:
    """Drop it: everybody logs in again."""
    op.execute("DROP TABLE core.session")
