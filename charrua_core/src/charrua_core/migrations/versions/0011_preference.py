"""What people have chosen for themselves."""

from __future__ import annotations

revision = "0011_preference"
down_revision = "0010_share"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing yet."""


def downgrade() -> None:
    """Do nothing yet."""
