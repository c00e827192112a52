"""Uploads from browsers that are under way."""

from __future__ import annotations

revision = "0012_upload"
down_revision = "0011_preference"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing yet."""


def downgrade() -> None:
    """Do nothing yet."""
