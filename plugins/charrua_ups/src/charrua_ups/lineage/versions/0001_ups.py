"""Workitems, subscriptions and events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_ups"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("aet", sa.Text(collation="C"), nullable=False),
        sa.Column("workitem_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("event_type", sa.SmallInteger(), nullable=False),
        sa.Column("information", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("due", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="charrua_ups",
    )
    op.create_index("event_by_aet", "event", ["aet", "id"], unique=False, schema="charrua_ups")
    op.create_index("event_by_age", "event", ["created_at"], unique=False, schema="charrua_ups")
    op.create_index(
        "event_due", "event", ["aet", "id"], unique=False, schema="charrua_ups", postgresql_where=sa.text("due")
    )
    op.create_table(
        "workitem",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workitem_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("transaction_uid", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_name_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("start_moment", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("terms", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("workitem_uid"),
        schema="charrua_ups",
    )
    op.create_index("workitem_by_name", "workitem", ["patient_name_key"], unique=False, schema="charrua_ups")
    op.create_index(
        "workitem_by_state", "workitem", ["state", "start_moment", "id"], unique=False, schema="charrua_ups"
    )
    op.create_index("workitem_by_start", "workitem", ["start_moment", "id"], unique=False, schema="charrua_ups")
    op.create_index(
        "workitem_by_terms", "workitem", ["terms"], unique=False, schema="charrua_ups", postgresql_using="gin"
    )
    op.create_index(
        "workitem_final",
        "workitem",
        ["changed_at"],
        unique=False,
        schema="charrua_ups",
        postgresql_where=sa.text("state IN ('COMPLETED', 'CANCELED')"),
    )
    op.create_table(
        "worklist_subscription",
        sa.Column("aet", sa.Text(collation="C"), nullable=False),
        sa.Column("filtered", sa.Boolean(), nullable=False),
        sa.Column("deletion_lock", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("keys", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("row_filters", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("aet", "filtered"),
        schema="charrua_ups",
    )
    op.create_table(
        "subscription",
        sa.Column("workitem_id", sa.BigInteger(), nullable=False),
        sa.Column("aet", sa.Text(collation="C"), nullable=False),
        sa.Column("deletion_lock", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("row_filters", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(["workitem_id"], ["charrua_ups.workitem.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workitem_id", "aet"),
        schema="charrua_ups",
    )
    op.create_index("subscription_by_aet", "subscription", ["aet"], unique=False, schema="charrua_ups")


def downgrade() -> None:
    """Take them away."""
    for table in ("subscription", "worklist_subscription", "workitem", "event"):
        op.drop_table(table, schema="charrua_ups")
