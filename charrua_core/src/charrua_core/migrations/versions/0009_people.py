"""What else an account knows of its person, and what a token is for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_people"
down_revision = "0008_destination"
branch_labels = None
depends_on = None

_TEXTS = ("full_name", "transfer_syntax", "printer")


def upgrade() -> None:
    """Add the columns."""
    for name in _TEXTS:
        op.add_column("account", sa.Column(name, sa.Text, nullable=False, server_default=""), schema="core")
    op.add_column("account", sa.Column("logged_in_at", sa.DateTime(timezone=True)), schema="core")
    op.add_column("token", sa.Column("purpose", sa.Text, nullable=False, server_default=""), schema="core")


def downgrade() -> None:
    """Drop them."""
    op.drop_column("token", "purpose", schema="core")
    op.drop_column("account", "logged_in_at", schema="core")
    for name in reversed(_TEXTS):
        op.drop_column("account", name, schema="core")
