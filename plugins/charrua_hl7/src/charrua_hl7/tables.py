"""The tables of schema `charrua_hl7`: messages, the worklist, mappings, performed steps and receivers."""

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
    Integer,
    LargeBinary,
    MetaData,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from charrua_core.tables import NOW, C

SCHEMA = "charrua_hl7"
metadata = MetaData(schema=SCHEMA)


def _text(name: str) -> Column[str]:
    return Column(name, C, nullable=False, server_default="")


def _texts(name: str) -> Column[list[str]]:
    return Column(name, ARRAY(C), nullable=False, server_default="{}")


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=None if nullable else NOW)


message = Table(
    "message",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    # "in" or "out"; `party` is the address that it came from, or the receiver that it goes to.
    Column("direction", C, nullable=False, server_default="in"),
    _text("party"),
    _moment("at"),
    _text("message_type"),  # ORM^O01
    _text("control_id"),
    _text("sending_application"),
    _text("sending_facility"),
    _text("version"),
    _text("patient_id"),
    _text("accession_number"),
    Column("content", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    # waiting, done, failed
    Column("state", C, nullable=False, server_default="waiting"),
    # AA, AE or AR, and the message that said so.
    _text("acknowledgement"),
    Column("answer", LargeBinary, nullable=False, server_default=""),
    # What was done, or why not: a sentence without patient data.
    _text("sentence"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _moment("processed_at", nullable=True),
    # Of one that goes out: the job that sends it.
    Column("job_id", BigInteger, nullable=True),
    Index("message_by_control", "sending_application", "sending_facility", "control_id"),
    Index("message_by_time", "at"),
    Index("message_by_patient", "patient_id"),
    Index("message_by_accession", "accession_number"),
    Index("message_unfinished", "state", "id", postgresql_where=text("state <> 'done'")),
)

entry = Table(
    "entry",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    # Which order it belongs to (`charrua_hl7.worklist.entries.order_key`), and which of its steps it is.
    _text("order_key"),
    _text("step_id"),
    _text("placer_order"),
    _text("filler_order"),
    _text("accession_number"),
    _text("requested_procedure_id"),
    _text("study_uid"),
    _text("patient_id"),
    _text("issuer"),
    _text("patient_name_key"),
    _text("modality"),
    _texts("stations"),
    # Scheduled Procedure Step Start Date and Time as 14 digits, as the order has them.
    _text("start_moment"),
    Column("status", C, nullable=False),
    # Why it has this status, for people.
    _text("reason"),
    # The data set that Modality Worklist tells, with one item in Scheduled Procedure Step Sequence.
    Column("attributes", JSONB, nullable=False),
    # "path=value" of every short text and UID in it, its sequences included: what exact keys are looked up by.
    _texts("terms"),
    # All that people search for in one text, folded.
    _text("words"),
    # hl7, page, api, mpps
    _text("source"),
    Column("message_id", BigInteger, nullable=True),
    # The study that has arrived for it, where that has another UID than was scheduled.
    _text("arrived_study_uid"),
    Column("version", Integer, nullable=False, server_default="1"),
    _moment("created_at"),
    _moment("changed_at"),
    Index("entry_by_order", "order_key", "step_id", unique=True),
    Index("entry_by_status", "status", "start_moment", "id"),
    Index("entry_by_start", "start_moment", "id"),
    Index("entry_by_study", "study_uid"),
    Index("entry_by_arrived", "arrived_study_uid"),
    Index("entry_by_accession", "accession_number"),
    Index("entry_by_patient", "patient_id", "issuer"),
    Index("entry_by_name", "patient_name_key"),
    Index("entry_by_terms", "terms", postgresql_using="gin"),
)

# The newest version of a message type's mapping is in force.
mapping = Table(
    "mapping",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("message_type", C, nullable=False),
    Column("lines", JSONB, nullable=False),
    _text("reason"),
    _text("by"),
    _moment("at"),
    Index("mapping_by_type", "message_type", "id"),
)

# What a message has changed of a patient, so that it can be taken back.
patient_change = Table(
    "patient_change",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("message_id", BigInteger, nullable=True),
    # update, merge
    Column("kind", C, nullable=False),
    # The former patient and the one whose it is now: keyword → value.
    Column("before", JSONB, nullable=False),
    Column("after", JSONB, nullable=False),
    # Of each entry that was changed: its ID and what its attributes were.
    Column("entries", JSONB, nullable=False, server_default="[]"),
    # The edits that it made of studies.
    _texts("edits"),
    _text("sentence"),
    _moment("at"),
    _moment("undone_at", nullable=True),
    _text("undone_by"),
    Index("patient_change_by_message", "message_id"),
)

performed = Table(
    "performed",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("sop_instance_uid", C, nullable=False, unique=True),
    # Performed Procedure Step Status: IN PROGRESS, COMPLETED, DISCONTINUED
    Column("status", C, nullable=False),
    _text("aet"),
    _texts("study_uids"),
    Column("attributes", JSONB, nullable=False),
    _moment("created_at"),
    _moment("changed_at"),
    Index("performed_by_study", "study_uids", postgresql_using="gin"),
)

performed_entry = Table(
    "performed_entry",
    metadata,
    Column("performed_id", ForeignKey(performed.c.id, ondelete="CASCADE"), primary_key=True),
    Column("entry_id", ForeignKey(entry.c.id, ondelete="CASCADE"), primary_key=True),
    Index("performed_entry_by_entry", "entry_id"),
)

receiver = Table(
    "receiver",
    metadata,
    Column("name", C, primary_key=True),
    Column("host", C, nullable=False),
    Column("port", Integer, nullable=False),
    # off, encrypt, verify
    Column("tls", C, nullable=False, server_default="off"),
    # MSH-5 and MSH-6
    _text("application"),
    _text("facility"),
    _text("version"),
    _text("character_set"),
    # results, orders
    _texts("sends"),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    _moment("created_at"),
)
