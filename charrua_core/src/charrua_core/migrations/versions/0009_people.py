"""What else an account knows of its person."""

from __future__ import annotations

revision = "0009_people"
down_revision = "0008_destination"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing yet."""


def downgrade() -> None:
    """Do nothing yet."""
