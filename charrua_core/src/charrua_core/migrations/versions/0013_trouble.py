"""What went wrong with the world outside, told in sentences."""

from __future__ import annotations

revision = "0013_trouble"
down_revision = "0012_upload"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing yet."""


def downgrade() -> None:
    """Do nothing yet."""
