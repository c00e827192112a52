"""The tables of schema `routing`; the migrations make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(schema="routing")
_NOW = text("now()")
_C = Text(collation="C")

rule = Table(
    "rule",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    # The rule as it was written, by name of its fields.
    Column("document", JSONB, nullable=False),
    UniqueConstraint("name"),
)

# Every version that there was, the present one among them; `removed` is the version that ended the rule.
rule_version = Table(
    "rule_version",
    metadata,
    Column("rule_id", BigInteger, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("removed", Boolean, nullable=False, server_default="false"),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)

# Studies and series that a rule takes, and that are not yet quiet; one job waits for each.
quiet = Table(
    "quiet",
    metadata,
    Column("rule_id", BigInteger, primary_key=True),
    Column("study_uid", _C, primary_key=True),
    Column("series_uid", _C, primary_key=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
)
