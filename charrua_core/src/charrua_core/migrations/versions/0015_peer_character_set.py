"""The character set in which a peer is answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_peer_character_set"
down_revision = "0014_study_list"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty."""
    column = sa.Column("character_set", sa.Text(collation="C"), server_default="", nullable=False)
    op.add_column("peer", column, schema="core")


def downgrade() -> None:
    """Take it away."""
    op.drop_column("peer", "character_set", schema="core")
