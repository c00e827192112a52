"""Links for people outside, and the sessions that they open."""

from __future__ import annotations

from alembic import op

revision = "0010_share"
down_revision = "0009_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of links, and have sessions name the one that opened them."""
    op.execute("""
        CREATE TABLE core.share (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            digest bytea NOT NULL UNIQUE,
            study_uids text[] COLLATE "C" NOT NULL,
            account text REFERENCES core.account (name) ON DELETE CASCADE,
            made_by text NOT NULL,
            row_filters jsonb NOT NULL,
            label text NOT NULL,
            dicom boolean NOT NULL,
            asks_birth_date boolean NOT NULL,
            uses_allowed integer,
            uses integer NOT NULL DEFAULT 0,
            made_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz,
            used_at timestamptz,
            revoked_at timestamptz
        )
    """)
    op.execute("CREATE INDEX ix_core_share_account ON core.share (account)")
    op.execute("CREATE INDEX share_by_study ON core.share USING gin (study_uids)")
    op.execute("CREATE INDEX share_by_maker ON core.share (made_by, made_at)")
    op.execute("ALTER TABLE core.session ADD COLUMN share uuid REFERENCES core.share (id) ON DELETE CASCADE")
    op.execute("CREATE INDEX ix_core_session_share ON core.session (share)")


def downgrade() -> None:
    """Drop both: links lead nowhere, and who came by one is logged out."""
    op.execute("DELETE FROM core.session WHERE share IS NOT NULL")
    op.execute("ALTER TABLE core.session DROP COLUMN share")
    op.execute("DROP TABLE core.share")
