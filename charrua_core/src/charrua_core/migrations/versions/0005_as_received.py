"""How the data set of a transcoded object came: its transfer syntax and digest, and when it was transcoded."""

from __future__ import annotations

from alembic import op

revision = "0005_as_received"
down_revision = "0004_peer_certificate"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute("""
        ALTER TABLE core.instance
            ADD COLUMN received_syntax_uid text COLLATE "C",
            ADD COLUMN received_digest bytea,
            ADD COLUMN transcoded_at timestamptz
    """)


def downgrade() -> None:
    """Drop the columns."""
    op.execute("""
        ALTER TABLE core.instance
            DROP COLUMN received_syntax_uid, DROP COLUMN received_digest, DROP COLUMN transcoded_at
    """)
