"""The tables of schema `core`, as SQLAlchemy Core knows them; the migrations make them.

UIDs and codes are `COLLATE "C"`: compared by byte, whatever the locale of the database. Names end in `_key` where they
hold the folded form that searches match (`charrua_core.archive.index.names`).
"""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.types import UserDefinedType

metadata = MetaData(schema="core")


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, `xid8`."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Give the name of the type in SQL."""
        return "XID8"


ischema_names["xid8"] = Xid8


C = Text(collation="C")
NOW = text("now()")


def _text(name: str) -> Column[str]:
    """A column of text, empty rather than NULL where the attribute has no value (PS3.4 C.2.2.2.3)."""
    return Column(name, C, nullable=False, server_default="")


def _moment(name: str, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=None if nullable else NOW)


def _study_order(name: str, *columns: str) -> Index:
    """An index of the studies that are shown, in an order."""
    return Index(name, *columns, postgresql_where=text("deleted_by IS NULL"))


volume = Table(
    "volume",
    metadata,
    Column("id", SmallInteger, Identity(), primary_key=True),
    Column("path", Text, nullable=False, unique=True),
    Column("current", Boolean, nullable=False, server_default="false"),
    _moment("opened_at"),
)

study = Table(
    "study",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("study_uid", C, nullable=False, unique=True),
    _text("patient_id"),
    _text("issuer"),
    _text("patient_name"),
    _text("patient_name_key"),
    _text("patient_birth_date"),
    _text("patient_sex"),
    _text("study_date"),
    _text("study_time"),
    _text("accession_number"),
    _text("study_id"),
    _text("study_description"),
    _text("study_description_key"),
    _text("referring_physician_name"),
    _text("referring_physician_name_key"),
    # Patient and study level attributes of the first object, edits applied: what C-FIND returns beyond the columns.
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    Column("modalities", ARRAY(C), nullable=False, server_default="{}"),
    Column("sop_classes", ARRAY(C), nullable=False, server_default="{}"),
    Column("series_count", Integer, nullable=False, server_default="0"),
    Column("instance_count", Integer, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    _moment("first_received_at"),
    _moment("last_received_at"),
    Column("status", C, nullable=False, server_default="UNREAD"),
    # The sum of the edits that are in force at this level (DICOM JSON; null deletes an attribute).
    Column("overlay", JSONB(none_as_null=True)),
    Column("merged_into", BigInteger, ForeignKey("core.study.id")),
    Column("deleted_by", UUID),
    # Searches: pages newest first and by patient, both able to look at texts without visiting the rows (archive/search).
    Index(
        "study_by_date",
        text("study_date DESC"),
        text("study_time DESC"),
        text("id DESC"),
        postgresql_include=["patient_name_key", "study_description_key", "referring_physician_name_key"],
        postgresql_where=text("deleted_by IS NULL"),
    ),
    Index(
        "study_by_patient",
        "patient_id",
        "issuer",
        "id",
        postgresql_include=["patient_name_key"],
        postgresql_where=text("deleted_by IS NULL"),
    ),
    Index(
        "study_by_name",
        "patient_name_key",
        postgresql_include=["study_date", "id"],
        postgresql_where=text("deleted_by IS NULL"),
    ),
    Index("study_by_accession_number", "accession_number", "id"),
    # The other orders of the study list (archive/search/orders).
    _study_order("study_by_description", "study_description_key", "id"),
    _study_order("study_by_referring", "referring_physician_name_key", "id"),
    _study_order("study_by_status", "status", "study_date", "study_time", "id"),
    _study_order("study_by_arrival", "first_received_at", "id"),
    Index("study_by_birth_date", "patient_birth_date"),
    Index("study_by_study_id", "study_id"),
    Index("study_by_modality", "modalities", postgresql_using="gin"),
    # Pieces of the texts that are searched for what stands anywhere in them; `core.grams` makes them (migration 0002).
    Index(
        "study_by_grams",
        text("core.grams(patient_name_key)"),
        text("core.grams(patient_id)"),
        text("core.grams(accession_number)"),
        text("core.grams(study_description_key)"),
        text("core.grams(referring_physician_name_key)"),
        postgresql_using="gin",
    ),
)

series = Table(
    "series",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("study_id", BigInteger, ForeignKey("core.study.id"), nullable=False),
    Column("series_uid", C, nullable=False),
    # The study that its objects name in their bytes; `study_id` is another one after an assignment.
    Column("received_study_uid", C, nullable=False),
    _text("modality"),
    _text("series_number"),
    _text("series_description"),
    _text("series_description_key"),
    _text("body_part_examined"),
    _text("series_date"),
    _text("series_time"),
    _text("performed_procedure_step_start_date"),
    _text("performed_procedure_step_start_time"),
    _text("station_name"),
    _text("institution_name"),
    _text("institution_name_key"),
    Column("attributes", JSONB, nullable=False, server_default="{}"),
    Column("instance_count", Integer, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    _moment("first_received_at"),
    _moment("last_received_at"),
    Column("overlay", JSONB(none_as_null=True)),
    Column("deleted_by", UUID),
    UniqueConstraint("received_study_uid", "series_uid"),
    Index("series_by_study", "study_id"),
    Index("series_by_uid", "series_uid"),
)

instance = Table(
    "instance",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("series_id", BigInteger, ForeignKey("core.series.id"), nullable=False),
    Column("sop_instance_uid", C, nullable=False),
    # 1 for the first bytes received under this UID, 2 for the next different ones …; one of them is current.
    Column("version", SmallInteger, nullable=False, server_default="1"),
    Column("current", Boolean, nullable=False, server_default="true"),
    Column("sop_class_uid", C, nullable=False),
    Column("transfer_syntax_uid", C, nullable=False),
    _text("instance_number"),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("bits_allocated", SmallInteger),
    Column("number_of_frames", Integer),
    _text("content_date"),
    _text("content_time"),
    Column("volume_id", SmallInteger, ForeignKey("core.volume.id"), nullable=False),
    Column("path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    # Where the data set begins in the file, after the file meta group; BLAKE3 of what lies before and of the rest.
    Column("dataset_offset", Integer, nullable=False),
    Column("meta_digest", LargeBinary, nullable=False),
    Column("dataset_digest", LargeBinary, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("pixel_data_offset", BigInteger),
    Column("frame_offsets", LargeBinary),
    # The header was past a budget and holds only what identifies the object.
    Column("unparsed", Boolean, nullable=False, server_default="false"),
    Column("arrival_id", UUID, nullable=False),
    _moment("received_at"),
    Column("origin", JSONB, nullable=False, server_default="{}"),
    Column("overlay", JSONB(none_as_null=True)),
    Column("deleted_by", UUID),
    # Of an object that the archive has transcoded: how its data set came, so that it is known when it comes again.
    Column("received_syntax_uid", C),
    Column("received_digest", LargeBinary),
    _moment("transcoded_at", nullable=True),
    UniqueConstraint("sop_instance_uid", "version"),
    Index("instance_current", "sop_instance_uid", unique=True, postgresql_where=text("current AND deleted_by IS NULL")),
    Index("instance_by_series", "series_id"),
    Index("instance_by_received_at", "received_at"),
)

edit = Table(
    "edit",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("seq", BigInteger, Identity(), nullable=False, unique=True),
    _moment("made_at"),
    Column("made_by", Text, nullable=False),
    # archive.edit.record.RecordKind
    Column("kind", C, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("targets", JSONB, nullable=False),
    Column("before", JSONB, nullable=False, server_default="{}"),
    Column("after", JSONB, nullable=False, server_default="{}"),
    Column("undone_by", UUID),
    Index(
        "edit_by_study",
        text("(targets -> 'study_uids')"),
        postgresql_using="gin",
        postgresql_where=text("kind <> 'coerce'"),
    ),
    Index(
        "edit_by_object",
        text("(targets ->> 'sop_instance_uid')"),
        postgresql_where=text("targets ? 'sop_instance_uid'"),
    ),
)

change = Table(
    "change",
    metadata,
    # The transaction that wrote the change: the followers read in the order of (xid, seq) (DESIGN §8).
    Column("xid", Xid8, nullable=False, primary_key=True, server_default=text("pg_current_xact_id()")),
    Column("seq", BigInteger, Identity(), nullable=False, primary_key=True),
    Column("kind", C, nullable=False),
    Column("payload", JSONB, nullable=False),
    _moment("at"),
)

follower = Table(
    "follower",
    metadata,
    Column("name", C, primary_key=True),
    # The last change that was delivered or set aside.
    Column("xid", Xid8, nullable=False, server_default="0"),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    _moment("next_try_at"),
    Column("last_error", Text, nullable=False, server_default=""),
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("follower", C, primary_key=True),
    Column("change_seq", BigInteger, primary_key=True),
    Column("change_kind", C, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("error", Text, nullable=False),
    _moment("at"),
)

# What routes have sent where, so that nothing goes to the same place twice.
delivered = Table(
    "delivered",
    metadata,
    Column("sop_instance_uid", C, primary_key=True),
    Column("destination", C, primary_key=True),
    Column("version", SmallInteger, primary_key=True),
    _moment("at"),
)

job = Table(
    "job",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", C, nullable=False),
    # Jobs of one lane run one after another, lanes beside one another: a dead peer stops its own lane only.
    Column("lane", C, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("dedup_key", C),
    # due, running, done, dead
    Column("state", C, nullable=False, server_default="due"),
    Column("priority", SmallInteger, nullable=False, server_default="0"),
    _moment("run_at"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    # From where the schedule of some kinds counts.
    _moment("first_tried_at", nullable=True),
    # Workers that died over it, which is no attempt of its schedule.
    Column("crashes", SmallInteger, nullable=False, server_default="0"),
    _moment("lease_until", nullable=True),
    Column("leased_by", Text, nullable=False, server_default=""),
    Column("last_error", Text, nullable=False, server_default=""),
    _moment("created_at"),
    _moment("finished_at", nullable=True),
    Index("job_dedup", "kind", "dedup_key", unique=True, postgresql_where=text("state IN ('due', 'running')")),
    Index("job_due", "lane", text("priority DESC"), "run_at", "id", postgresql_where=text("state = 'due'")),
    Index("job_running", "lane", postgresql_where=text("state = 'running'")),
    Index("job_dead", "id", postgresql_where=text("state = 'dead'")),
    Index("job_finished", "finished_at", postgresql_where=text("state = 'done'")),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    _moment("at"),
    # Event ID of PS3.15 A.5 (DCM code), e.g. 110104 DICOM Instances Transferred
    Column("event", C, nullable=False),
    Column("action", C, nullable=False),
    Column("succeeded", Boolean, nullable=False),
    Column("who", Text, nullable=False),
    Column("origin", JSONB, nullable=False),
    Column("study_uids", ARRAY(C), nullable=False, server_default="{}"),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    Index("audit_by_time", "at", "id"),
    Index("audit_by_who", "who", "at", "id"),
    Index("audit_by_address", text("(origin ->> 'address')"), "at", "id"),
    Index("audit_by_study", "study_uids", postgresql_using="gin", postgresql_where=text("study_uids <> '{}'")),
)

setting = Table(
    "setting",
    metadata,
    Column("name", C, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("changed_by", Text, nullable=False),
    _moment("changed_at"),
)

# What each setting was, secrets left out; a value of null is one that was taken out of the database again.
setting_change = Table(
    "setting_change",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", C, nullable=False),
    Column("value", JSONB(none_as_null=True)),
    Column("changed_by", Text, nullable=False),
    _moment("changed_at"),
    Index("setting_change_by_name", "name", "id"),
)

# What went wrong with the world outside: a row for all that is alike, not for each time.
trouble = Table(
    "trouble",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    # One of `charrua_core.trouble.KINDS`.
    Column("kind", C, nullable=False),
    # The AE title, destination or account.
    Column("who", C, nullable=False),
    Column("address", C, nullable=False),
    # What else tells one trouble from another: the reason, without the numbers in it.
    Column("alike", C, nullable=False),
    # Those of the last time.
    Column("facts", JSONB, nullable=False, server_default="{}"),
    Column("times", BigInteger, nullable=False, server_default="1"),
    _moment("first_at"),
    _moment("last_at"),
    _moment("seen_at", nullable=True),
    Column("seen_by", Text, nullable=False, server_default=""),
    Column("muted", Boolean, nullable=False, server_default="false"),
    UniqueConstraint("kind", "who", "address", "alike", name="trouble_is_grouped"),
    Index("trouble_by_last_at", "last_at"),
)

archive_check = Table(
    "archive_check",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("asked_by", Text, nullable=False),
    Column("quick", Boolean, nullable=False),
    _moment("began_at"),
    _moment("told_at"),
    _moment("ended_at", nullable=True),
    # Whether somebody asked that it end early.
    Column("stop", Boolean, nullable=False, server_default="false"),
    # running, done, stopped, failed
    Column("outcome", C, nullable=False, server_default="running"),
    Column("objects", BigInteger, nullable=False, server_default="0"),
    Column("files", BigInteger, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    Column("found", BigInteger, nullable=False, server_default="0"),
    # The first of what was found.
    Column("findings", JSONB, nullable=False, server_default="[]"),
)

peer = Table(
    "peer",
    metadata,
    Column("aet", C, primary_key=True),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("tls_mode", C, nullable=False, server_default="off"),
    Column("timeout_s", Integer, nullable=False, server_default="30"),
    Column("permissions", ARRAY(C), nullable=False, server_default="{echo,store,query,retrieve}"),
    Column("row_filter", JSONB(none_as_null=True)),
    Column("certificate", Text, nullable=False, server_default=""),
    Column("character_set", C, nullable=False, server_default=""),
)

destination = Table(
    "destination",
    metadata,
    # No peer has it as its AE title.
    Column("name", C, primary_key=True),
    Column("kind", C, nullable=False),
    Column("options", JSONB, nullable=False, server_default="{}"),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    Column("concurrency", SmallInteger, nullable=False, server_default="1"),
    Column("time_window", C, nullable=False, server_default=""),
    Column("timeout_s", Integer, nullable=False, server_default="60"),
)

role = Table(
    "role",
    metadata,
    Column("name", C, primary_key=True),
    Column("permissions", ARRAY(C), nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", C, ForeignKey("core.role.name"), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("must_change_password", Boolean, nullable=False, server_default="false"),
    Column("disabled", Boolean, nullable=False, server_default="false"),
    Column("row_filter", JSONB(none_as_null=True)),
    _moment("created_at"),
    Column("full_name", Text, nullable=False, server_default=""),
    # Of the viewing client: a UID, "" for as stored. The printer is an AE title.
    Column("transfer_syntax", Text, nullable=False, server_default=""),
    Column("printer", Text, nullable=False, server_default=""),
    _moment("logged_in_at", nullable=True),
)

token = Table(
    "token",
    metadata,
    # SHA-256 of the token: the token itself is shown once and kept nowhere.
    Column("digest", LargeBinary, primary_key=True),
    Column("account", Text, ForeignKey("core.account.name", ondelete="CASCADE"), nullable=False),
    _moment("created_at"),
    _moment("expires_at", nullable=True),
    _moment("revoked_at", nullable=True),
    Column("purpose", Text, nullable=False, server_default=""),
)

# Links for people outside. `account` is null where a provider of a plugin vouched for who made it.
share = Table(
    "share",
    metadata,
    Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()")),
    # SHA-256 of the token: the link itself is shown once and kept nowhere.
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("study_uids", ARRAY(C), nullable=False),
    Column("account", Text, ForeignKey("core.account.name", ondelete="CASCADE"), index=True),
    Column("made_by", Text, nullable=False),
    # What who made it might see then; what the account may see now holds as well.
    Column("row_filters", JSONB, nullable=False),
    Column("label", Text, nullable=False),
    Column("dicom", Boolean, nullable=False),
    Column("asks_birth_date", Boolean, nullable=False),
    Column("uses_allowed", Integer),
    Column("uses", Integer, nullable=False, server_default="0"),
    _moment("made_at"),
    _moment("expires_at", nullable=True),
    _moment("used_at", nullable=True),
    _moment("revoked_at", nullable=True),
    Index("share_by_study", "study_uids", postgresql_using="gin"),
    Index("share_by_maker", "made_by", "made_at"),
)

# Browsers that are logged in. `account` is null where a provider of a plugin vouched: `identity` then says what it said.
session = Table(
    "session",
    metadata,
    # SHA-256 of the id that the browser's cookie holds.
    Column("digest", LargeBinary, primary_key=True),
    Column("account", Text, ForeignKey("core.account.name", ondelete="CASCADE"), index=True),
    Column("name", Text, nullable=False),
    Column("identity", JSONB(none_as_null=True)),
    # The link that opened it: the session sees and lasts as that says.
    Column("share", UUID, ForeignKey("core.share.id", ondelete="CASCADE"), index=True),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    _moment("created_at"),
    _moment("used_at"),
    _moment("expires_at"),
)

# What people have chosen for themselves: columns of a list, saved searches. An owner is whoever logs in by this name.
preference = Table(
    "preference",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("name", C, primary_key=True),
    Column("value", JSONB, nullable=False),
    _moment("changed_at"),
)

# Wrong passwords and tokens, by name and address: shared by all processes and all ways to log in.
guess = Table(
    "guess",
    metadata,
    Column("key", C, primary_key=True),
    Column("failures", Integer, nullable=False),
    _moment("blocked_until"),
)

# Large files and ZIP archives that browsers send in pieces; the bytes so far lie in the folder `uploads` of the volume.
upload = Table(
    "upload",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("who", Text, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("name", Text, nullable=False, server_default=""),
    # What the browser knows the file by: chosen again, the upload goes on.
    Column("key", C, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    # So many are flushed to the disk.
    Column("received_bytes", BigInteger, nullable=False, server_default="0"),
    Column("volume_id", SmallInteger, ForeignKey("core.volume.id"), nullable=False),
    # receiving, storing, done, failed
    Column("state", C, nullable=False, server_default="receiving"),
    # Files of an archive that need not be looked at again.
    Column("entries_done", Integer, nullable=False, server_default="0"),
    Column("results", JSONB, nullable=False, server_default="{}"),
    Column("error", Text, nullable=False, server_default=""),
    _moment("created_at"),
    _moment("changed_at"),
    Index("upload_unfinished", "who", "key", unique=True, postgresql_where=text("state IN ('receiving', 'storing')")),
    Index("upload_by_who", "who", "created_at"),
    Index("upload_by_change", "changed_at"),
)
