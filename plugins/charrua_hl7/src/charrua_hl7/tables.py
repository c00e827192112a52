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
    # Of one that goes out empty until it is written, of the facts, by the job that sends it.
    Column("content", LargeBinary, nullable=False),
    Column("facts", JSONB(none_as_null=True), nullable=True),
    # Of one that came: by which it is known when it comes again.
    Column("digest", LargeBinary, nullable=False, server_default=""),
    # waiting, done, failed
    Column("state", C, nullable=False, server_default="waiting"),
    # AA, AE or AR, and the message that said so.
    _text("acknowledgement"),
    Column("answer", LargeBinary, nullable=False, server_default=""),
    # What was done, or why not: a sentence without patient data.
    _text("sentence"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _moment("processed_at", nullable=True),
    # Of one that goes out: the job that sends it, and since when that has tried.
    Column("job_id", BigInteger, nullable=True),
    _moment("tried_since", nullable=True),
    Index("message_by_control", "sending_application", "sending_facility", "control_id"),
    Index("message_by_time", "at"),
    Index("message_by_patient", "patient_id"),
    Index("message_by_accession", "accession_number"),
    Index("message_unfinished", "state", "id", postgresql_where=text("state <> 'done'")),
)

IS_OPEN = "status NOT IN ('COMPLETED', 'DISCONTINUED')"
"""What may still be performed, as index entry_open has it."""

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
    # Its pieces, as `patterns.grams` gives them: made here, since PostgreSQL would take longer for them than for all else.
    _texts("pieces"),
    # hl7, page, api, mpps
    _text("source"),
    Column("message_id", BigInteger, nullable=True),
    # The study that has arrived for it, under the UID that it has here.
    _text("arrived_study_uid"),
    # When somebody had it begin again: it times out anew from then.
    _moment("reopened_at", nullable=True),
    Column("version", Integer, nullable=False, server_default="1"),
    _moment("created_at"),
    _moment("changed_at"),
    Index("entry_by_order", "order_key", "step_id", unique=True),
    Index("entry_by_status", "status", "start_moment", "id"),
    Index("entry_by_start", "start_moment", "id"),
    Index("entry_open", "start_moment", "id", postgresql_where=text(IS_OPEN)),
    Index("entry_by_study", "study_uid"),
    Index("entry_by_arrived", "arrived_study_uid"),
    Index("entry_by_accession", "accession_number"),
    Index("entry_by_filler", "filler_order"),
    Index("entry_by_placer", "placer_order"),
    Index("entry_by_patient", "patient_id", "issuer"),
    Index("entry_by_name", "patient_name_key"),
    # Modalities ask at once for what was just ordered: nothing waits in a list to be looked through.
    Index("entry_by_terms", "terms", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    Index("entry_by_pieces", "pieces", postgresql_using="gin"),
)

# What sets the Study Instance UIDs that this archive makes for orders apart from those of others: one row.
uid_root = Table(
    "uid_root",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("root", C, nullable=False, server_default=text("gen_random_uuid()::text")),
)

# Studies that came for an entry, or were assigned to it. A row is never made twice: what was undone stays undone.
entry_study = Table(
    "entry_study",
    metadata,
    Column("entry_id", ForeignKey(entry.c.id, ondelete="CASCADE"), primary_key=True),
    Column("study_uid", C, primary_key=True),
    # How it was found: uid, accession, assigned
    Column("found_by", C, nullable=False),
    # waiting (to be corrected), corrected, alike, left (as it is), mismatch (another patient's),
    # other (somebody said that it is not the entry's), handed over (to the entry that it was assigned to), undone
    Column("state", C, nullable=False),
    # The edits that gave it the order's identity, in their order.
    _texts("edits"),
    # What the entry was before.
    _text("former_status"),
    _text("former_reason"),
    _text("by"),
    _moment("at"),
    Index("entry_study_by_study", "study_uid"),
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

# What a message has changed of a patient, so that it can be taken back. A merge in force is also what is remembered of it:
# what still comes under the former ID is given the patient that it has become.
patient_change = Table(
    "patient_change",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("message_id", BigInteger, nullable=True),
    # update, merge, move
    Column("kind", C, nullable=False),
    # Whose deed it is: `HL7 <sending application>`.
    _text("by"),
    # Who it is, and of a merge who it was.
    _text("patient_id"),
    _text("issuer"),
    _text("former_id"),
    _text("former_issuer"),
    # DICOM JSON: what the patient was called, what the message says of them.
    Column("before", JSONB, nullable=False),
    Column("after", JSONB, nullable=False),
    # Of each entry that was changed, by its ID: {"before": …, "after": …}, DICOM JSON or null by tag.
    Column("entries", JSONB, nullable=False, server_default="{}"),
    # The studies that a move names.
    _texts("studies"),
    # The edits that it made of studies.
    _texts("edits"),
    # What becomes of the studies: waiting, done, failed.
    Column("state", C, nullable=False, server_default="done"),
    _text("sentence"),
    # A later merge the other way round, because of which this one is no longer remembered.
    Column("ended_by", BigInteger, nullable=True),
    _moment("at"),
    _moment("undone_at", nullable=True),
    _text("undone_by"),
    Index("patient_change_by_message", "message_id"),
    Index("patient_change_by_patient", "patient_id", "issuer", "id"),
    Index(
        "patient_change_by_former",
        "former_id",
        postgresql_where=text("kind = 'merge' AND undone_at IS NULL AND ended_by IS NULL"),
    ),
    Index("patient_change_waiting", "id", postgresql_where=text("state = 'waiting'")),
    Index("patient_change_by_edit", "edits", postgresql_using="gin"),
    Index("patient_change_by_entry", "entries", postgresql_using="gin"),
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
    _texts("accession_numbers"),
    _texts("series_uids"),
    Column("attributes", JSONB, nullable=False),
    # All that people search for in one text, folded, and its pieces.
    _text("words"),
    _texts("pieces"),
    # What its modality left out or said otherwise than the order (`charrua_hl7.performed.notes`).
    Column("notes", JSONB, nullable=False, server_default="[]"),
    _moment("created_at"),
    _moment("changed_at"),
    Index("performed_by_study", "study_uids", postgresql_using="gin"),
    Index("performed_by_accession", "accession_numbers", postgresql_using="gin"),
    Index("performed_by_series", "series_uids", postgresql_using="gin"),
    Index("performed_by_age", "changed_at"),
    Index("performed_by_status", "status", "id"),
    Index("performed_by_pieces", "pieces", postgresql_using="gin"),
)

performed_entry = Table(
    "performed_entry",
    metadata,
    Column("performed_id", ForeignKey(performed.c.id, ondelete="CASCADE"), primary_key=True),
    Column("entry_id", ForeignKey(entry.c.id, ondelete="CASCADE"), primary_key=True),
    Index("performed_entry_by_entry", "entry_id"),
)

# What is still to be passed on, in the order of a peer's rows.
performed_forward = Table(
    "performed_forward",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("aet", C, nullable=False),
    Column("performed_id", ForeignKey(performed.c.id, ondelete="CASCADE"), nullable=False),
    # N-CREATE, N-SET
    Column("operation", C, nullable=False),
    Column("attributes", JSONB, nullable=False),
    _moment("created_at"),
    Index("performed_forward_by_peer", "aet", "id"),
    Index("performed_forward_by_step", "performed_id"),
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
