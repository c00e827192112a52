"""The certificate by which a peer is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_peer_certificate"
down_revision = "0003_store_objects"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty."""
    column = sa.Column("certificate", sa.Text(), server_default="", nullable=False)
    op.add_column("peer", column, schema="core")


def downgrade() -> None:
    """Take it away."""
    op.drop_column("peer", "certificate", schema="core")
