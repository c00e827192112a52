"""Links for people outside, and the sessions that they open."""

from __future__ import annotations

revision = "0010_share"
down_revision = "0009_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing yet."""


def downgrade() -> None:
    """Do nothing yet."""
