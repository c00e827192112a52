"""The tables of schema `charrua_ups`: workitems, who is subscribed to what, and the events that subscribers are told of."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from charrua_core.tables import NOW, C

SCHEMA = "charrua_ups"
metadata = MetaData(schema=SCHEMA)


def _text(name: str) -> Column[str]:
    return Column(name, C, nullable=False, server_default="")


workitem = Table(
    "workitem",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("workitem_uid", C, nullable=False, unique=True),
    Column("state", C, nullable=False),
    # The lock of its performer: never told to anybody.
    _text("transaction_uid"),
    _text("patient_name_key"),
    # Scheduled Procedure Step Start DateTime as 20 digits, in UTC where it has an offset.
    _text("start_moment"),
    # "path=value" of every short text and UID in it, its sequences included: what exact keys are looked up by.
    Column("terms", ARRAY(C), nullable=False, server_default="{}"),
    Column("attributes", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    Index("workitem_by_start", "start_moment", "id"),
    Index("workitem_by_state", "state", "start_moment", "id"),
    Index("workitem_by_terms", "terms", postgresql_using="gin"),
    Index("workitem_by_name", "patient_name_key"),
    Index("workitem_final", "changed_at", postgresql_where=text("state IN ('COMPLETED', 'CANCELED')")),
)

subscription = Table(
    "subscription",
    metadata,
    Column("workitem_id", ForeignKey(workitem.c.id, ondelete="CASCADE"), primary_key=True),
    Column("aet", C, primary_key=True),
    Column("deletion_lock", Boolean, nullable=False, server_default="false"),
    # What whoever subscribed may see, for each filter of theirs: keyword → values.
    Column("row_filters", JSONB, nullable=False, server_default="[]"),
    Index("subscription_by_aet", "aet"),
)

worklist_subscription = Table(
    "worklist_subscription",
    metadata,
    Column("aet", C, primary_key=True),
    Column("filtered", Boolean, primary_key=True),
    Column("deletion_lock", Boolean, nullable=False, server_default="false"),
    Column("keys", JSONB, nullable=False, server_default="{}"),
    Column("row_filters", JSONB, nullable=False, server_default="[]"),
)

event = Table(
    "event",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("aet", C, nullable=False),
    Column("workitem_uid", C, nullable=False),
    Column("event_type", SmallInteger, nullable=False),
    Column("information", JSONB, nullable=False),
    # Still to be told by N-EVENT-REPORT; what goes over WebSocket is told to whoever is connected.
    Column("due", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    Index("event_by_aet", "aet", "id"),
    Index("event_due", "aet", "id", postgresql_where=text("due")),
    Index("event_by_age", "created_at"),
)
