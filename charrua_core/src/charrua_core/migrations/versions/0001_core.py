"""The tables of core."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from charrua_core.tables import Xid8

revision = "0001_core"
down_revision = None
branch_labels = None
depends_on = None


# LZ4 is many times faster than PostgreSQL's own compression, and a server may be built without it.
COMPRESSION = """
DO $$ BEGIN
    IF (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') THEN
        ALTER TABLE core.instance ALTER COLUMN frame_offsets SET COMPRESSION lz4;
    END IF;
END $$
"""

# A header comes deflated (`archive.datasets.header.pack_json`), and stays in its row as long as that fits into a page.
HEADERS = """
ALTER TABLE core.instance ALTER COLUMN header SET STORAGE EXTERNAL, SET (toast_tuple_target = 8160)
"""


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("event", sa.Text(collation="C"), nullable=False),
        sa.Column("action", sa.Text(collation="C"), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("origin", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("study_uids", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="core",
    )
    op.create_index("audit_by_time", "audit", ["at"], unique=False, schema="core")
    op.create_table(
        "change",
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("xid", "seq"),
        schema="core",
    )
    op.create_table(
        "edit",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("targets", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("undone_by", sa.UUID(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("seq"),
        schema="core",
    )
    op.create_index(
        "edit_by_object",
        "edit",
        [sa.literal_column("(targets ->> 'sop_instance_uid')")],
        unique=False,
        schema="core",
        postgresql_where=sa.text("targets ? 'sop_instance_uid'"),
    )
    op.create_index(
        "edit_by_study",
        "edit",
        [sa.literal_column("(targets -> 'study_uids')")],
        unique=False,
        schema="core",
        postgresql_using="gin",
        postgresql_where=sa.text("kind <> 'coerce'"),
    )
    op.create_table(
        "follower",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("xid", Xid8(), server_default="0", nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="core",
    )
    op.create_table(
        "guess",
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        schema="core",
    )
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("lane", sa.Text(collation="C"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("dedup_key", sa.Text(collation="C"), nullable=True),
        sa.Column("state", sa.Text(collation="C"), server_default="due", nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("crashes", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_by", sa.Text(), server_default="", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema="core",
    )
    op.create_index("job_dead", "job", ["id"], unique=False, schema="core", postgresql_where=sa.text("state = 'dead'"))
    op.create_index(
        "job_dedup",
        "job",
        ["kind", "dedup_key"],
        unique=True,
        schema="core",
        postgresql_where=sa.text("state IN ('due', 'running')"),
    )
    op.create_index(
        "job_due",
        "job",
        ["lane", sa.literal_column("priority DESC"), "run_at", "id"],
        unique=False,
        schema="core",
        postgresql_where=sa.text("state = 'due'"),
    )
    op.create_index(
        "job_finished", "job", ["finished_at"], unique=False, schema="core", postgresql_where=sa.text("state = 'done'")
    )
    op.create_index(
        "job_running", "job", ["lane"], unique=False, schema="core", postgresql_where=sa.text("state = 'running'")
    )
    op.create_table(
        "peer",
        sa.Column("aet", sa.Text(collation="C"), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls_mode", sa.Text(collation="C"), server_default="off", nullable=False),
        sa.Column("timeout_s", sa.Integer(), server_default="30", nullable=False),
        sa.Column(
            "permissions",
            sa.ARRAY(sa.Text(collation="C")),
            server_default="{echo,store,query,retrieve}",
            nullable=False,
        ),
        sa.Column("row_filter", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("aet"),
        schema="core",
    )
    op.create_table(
        "role",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("permissions", sa.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="core",
    )
    op.create_table(
        "set_aside",
        sa.Column("follower", sa.Text(collation="C"), nullable=False),
        sa.Column("change_seq", sa.BigInteger(), nullable=False),
        sa.Column("change_kind", sa.Text(collation="C"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("follower", "change_seq"),
        schema="core",
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="core",
    )
    op.create_table(
        "study",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("patient_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("issuer", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_name", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_name_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_birth_date", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("patient_sex", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("study_date", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("study_time", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("accession_number", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("study_id", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("study_description", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("study_description_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("referring_physician_name", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("referring_physician_name_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("modalities", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("sop_classes", sa.ARRAY(sa.Text(collation="C")), server_default="{}", nullable=False),
        sa.Column("series_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("instance_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), server_default="UNREAD", nullable=False),
        sa.Column("overlay", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("merged_into", sa.BigInteger(), nullable=True),
        sa.Column("deleted_by", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merged_into"],
            ["core.study.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study_uid"),
        schema="core",
    )
    op.create_table(
        "volume",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("current", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("path"),
        schema="core",
    )
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("row_filter", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["role"],
            ["core.role.name"],
        ),
        sa.PrimaryKeyConstraint("name"),
        schema="core",
    )
    op.create_table(
        "series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("study_id", sa.BigInteger(), nullable=False),
        sa.Column("series_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("received_study_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("modality", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("series_number", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("series_description", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("series_description_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("body_part_examined", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("series_date", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("series_time", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("performed_procedure_step_start_date", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("performed_procedure_step_start_time", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("station_name", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("institution_name", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("institution_name_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("instance_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("overlay", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("deleted_by", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"],
            ["core.study.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("received_study_uid", "series_uid"),
        schema="core",
    )
    op.create_index("series_by_study", "series", ["study_id"], unique=False, schema="core")
    op.create_index("series_by_uid", "series", ["series_uid"], unique=False, schema="core")
    op.create_table(
        "instance",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("version", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("current", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("sop_class_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(collation="C"), nullable=False),
        sa.Column("instance_number", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("columns", sa.Integer(), nullable=True),
        sa.Column("bits_allocated", sa.SmallInteger(), nullable=True),
        sa.Column("number_of_frames", sa.Integer(), nullable=True),
        sa.Column("content_date", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("content_time", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("volume_id", sa.SmallInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("dataset_offset", sa.Integer(), nullable=False),
        sa.Column("meta_digest", sa.LargeBinary(), nullable=False),
        sa.Column("dataset_digest", sa.LargeBinary(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("pixel_data_offset", sa.BigInteger(), nullable=True),
        sa.Column("frame_offsets", sa.LargeBinary(), nullable=True),
        sa.Column("unparsed", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("arrival_id", sa.UUID(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("origin", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("overlay", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("deleted_by", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["core.series.id"],
        ),
        sa.ForeignKeyConstraint(
            ["volume_id"],
            ["core.volume.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sop_instance_uid", "version"),
        schema="core",
    )
    op.create_index("instance_by_received_at", "instance", ["received_at"], unique=False, schema="core")
    op.create_index("instance_by_series", "instance", ["series_id"], unique=False, schema="core")
    op.create_index(
        "instance_current",
        "instance",
        ["sop_instance_uid"],
        unique=True,
        schema="core",
        postgresql_where=sa.text("current AND deleted_by IS NULL"),
    )
    op.create_table(
        "token",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["core.account.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest"),
        schema="core",
    )
    op.execute(COMPRESSION)
    op.execute(HEADERS)
