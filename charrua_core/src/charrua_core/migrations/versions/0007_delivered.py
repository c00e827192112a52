"""What each destination has had."""

from __future__ import annotations

from alembic import op

revision = "0007_delivered"
down_revision = "0006_session"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        CREATE TABLE core.delivered (
            sop_instance_uid text COLLATE "C" NOT NULL,
            destination text COLLATE "C" NOT NULL,
            version smallint NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (sop_instance_uid, destination, version)
        )
    """)


def downgrade() -> None:
    """Drop it: what is routed again is sent again."""
    op.execute("DROP TABLE core.delivered")
