"""Messages, the worklist, mappings, what messages have changed of patients, performed steps and receivers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001_hl7"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("step_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("placer_order", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("filler_order", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("accession_number", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("requested_procedure_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("study_uid", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("issuer", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_name_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("modality", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("stations", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("start_moment", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("terms", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("words", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("pieces", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("source", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("arrived_study_uid", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("reopened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="charrua_hl7",
    )
    op.create_index("entry_by_accession", "entry", ["accession_number"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_arrived", "entry", ["arrived_study_uid"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_filler", "entry", ["filler_order"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_name", "entry", ["patient_name_key"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_order", "entry", ["order_key", "step_id"], unique=True, schema="charrua_hl7")
    op.create_index("entry_by_patient", "entry", ["patient_id", "issuer"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_placer", "entry", ["placer_order"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_start", "entry", ["start_moment", "id"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_status", "entry", ["status", "start_moment", "id"], unique=False, schema="charrua_hl7")
    op.create_index("entry_by_study", "entry", ["study_uid"], unique=False, schema="charrua_hl7")
    op.create_index(
        "entry_by_terms",
        "entry",
        ["terms"],
        unique=False,
        schema="charrua_hl7",
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index(
        "entry_by_pieces",
        "entry",
        ["pieces"],
        unique=False,
        schema="charrua_hl7",
        postgresql_using="gin",
    )
    op.create_index(
        "entry_open",
        "entry",
        ["start_moment", "id"],
        unique=False,
        schema="charrua_hl7",
        postgresql_where=sa.text("status NOT IN ('COMPLETED', 'DISCONTINUED')"),
    )
    op.create_table(
        "mapping",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_type", sa.Text(collation="C"), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("by", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="charrua_hl7",
    )
    op.create_index("mapping_by_type", "mapping", ["message_type", "id"], unique=False, schema="charrua_hl7")
    op.create_table(
        "message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("direction", sa.Text(collation="C"), server_default="in", nullable=False),
        sa.Column("party", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("message_type", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("control_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("sending_application", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("sending_facility", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("version", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("accession_number", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("facts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("digest", sa.LargeBinary(), server_default="", nullable=False),
        sa.Column("state", sa.Text(collation="C"), server_default="waiting", nullable=False),
        sa.Column("acknowledgement", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("answer", sa.LargeBinary(), server_default="", nullable=False),
        sa.Column("sentence", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("tried_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="charrua_hl7",
    )
    op.create_index("message_by_accession", "message", ["accession_number"], unique=False, schema="charrua_hl7")
    op.create_index(
        "message_by_control",
        "message",
        ["sending_application", "sending_facility", "control_id"],
        unique=False,
        schema="charrua_hl7",
    )
    op.create_index("message_by_patient", "message", ["patient_id"], unique=False, schema="charrua_hl7")
    op.create_index("message_by_time", "message", ["at"], unique=False, schema="charrua_hl7")
    op.create_index(
        "message_unfinished",
        "message",
        ["state", "id"],
        unique=False,
        schema="charrua_hl7",
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "patient_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("by", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("issuer", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("former_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("former_issuer", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("entries", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("studies", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("edits", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("state", sa.Text(collation="C"), server_default="done", nullable=False),
        sa.Column("sentence", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("ended_by", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(collation="C"), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="charrua_hl7",
    )
    op.create_index(
        "patient_change_by_edit",
        "patient_change",
        ["edits"],
        unique=False,
        schema="charrua_hl7",
        postgresql_using="gin",
    )
    op.create_index(
        "patient_change_by_entry",
        "patient_change",
        ["entries"],
        unique=False,
        schema="charrua_hl7",
        postgresql_using="gin",
    )
    op.create_index(
        "patient_change_by_former",
        "patient_change",
        ["former_id"],
        unique=False,
        schema="charrua_hl7",
        postgresql_where=sa.text("kind = 'merge' AND undone_at IS NULL AND ended_by IS NULL"),
    )
    op.create_index("patient_change_by_message", "patient_change", ["message_id"], unique=False, schema="charrua_hl7")
    op.create_index(
        "patient_change_by_patient",
        "patient_change",
        ["patient_id", "issuer", "id"],
        unique=False,
        schema="charrua_hl7",
    )
    op.create_index(
        "patient_change_waiting",
        "patient_change",
        ["id"],
        unique=False,
        schema="charrua_hl7",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "performed",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("aet", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("study_uids", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("accession_numbers", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("series_uids", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("words", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("pieces", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("notes", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid"),
        schema="charrua_hl7",
    )
    op.create_index(
        "performed_by_accession",
        "performed",
        ["accession_numbers"],
        unique=False,
        schema="charrua_hl7",
        postgresql_using="gin",
    )
    op.create_index("performed_by_age", "performed", ["changed_at"], unique=False, schema="charrua_hl7")
    op.create_index(
        "performed_by_series", "performed", ["series_uids"], unique=False, schema="charrua_hl7", postgresql_using="gin"
    )
    op.create_index(
        "performed_by_study", "performed", ["study_uids"], unique=False, schema="charrua_hl7", postgresql_using="gin"
    )
    op.create_index("performed_by_status", "performed", ["status", "id"], unique=False, schema="charrua_hl7")
    op.create_index(
        "performed_by_pieces", "performed", ["pieces"], unique=False, schema="charrua_hl7", postgresql_using="gin"
    )
    op.create_table(
        "receiver",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("host", sa.Text(collation="C"), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls", sa.Text(collation="C"), server_default="off", nullable=False),
        sa.Column("application", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("facility", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("version", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("character_set", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("sends", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="charrua_hl7",
    )
    op.create_table(
        "uid_root",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("root", sa.Text(collation="C"), server_default=sa.text("gen_random_uuid()::text"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="charrua_hl7",
    )
    op.create_table(
        "entry_study",
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("study_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("found_by", sa.Text(collation="C"), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("edits", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("former_status", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("former_reason", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("by", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["charrua_hl7.entry.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("entry_id", "study_uid"),
        schema="charrua_hl7",
    )
    op.create_index("entry_study_by_study", "entry_study", ["study_uid"], unique=False, schema="charrua_hl7")
    op.create_table(
        "performed_entry",
        sa.Column("performed_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["charrua_hl7.entry.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["performed_id"], ["charrua_hl7.performed.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("performed_id", "entry_id"),
        schema="charrua_hl7",
    )
    op.create_index("performed_entry_by_entry", "performed_entry", ["entry_id"], unique=False, schema="charrua_hl7")
    op.create_table(
        "performed_forward",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("aet", sa.Text(collation="C"), nullable=False),
        sa.Column("performed_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(collation="C"), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["performed_id"], ["charrua_hl7.performed.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        schema="charrua_hl7",
    )
    op.create_index("performed_forward_by_peer", "performed_forward", ["aet", "id"], unique=False, schema="charrua_hl7")
    op.create_index(
        "performed_forward_by_step", "performed_forward", ["performed_id"], unique=False, schema="charrua_hl7"
    )
