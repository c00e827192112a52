"""The indexes of searches: by date, patient, name and numbers, and by pieces of three characters for what stands anywhere.

The own PostgreSQL has no pg_trgm: a function of ours cuts texts into pieces, and a GIN index holds these.
"""

from __future__ import annotations

from alembic import op

revision = "0002_grams"
down_revision = "0001_core"
branch_labels = None
depends_on = None

GRAMS = r"""
CREATE FUNCTION core.grams(value text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
-- All pieces of three characters, and each character alone that is a word by itself (ideographs, kana, hangul).
DECLARE
    pieces text[] := '{}';
    piece text;
BEGIN
    FOR start IN 1 .. length(value) LOOP
        piece := substr(value, start, 3);
        IF length(piece) = 3 THEN
            pieces := pieces || piece;
        END IF;
        IF left(piece, 1) COLLATE "C" >= U&'\2E80' THEN
            pieces := pieces || left(piece, 1);
        END IF;
    END LOOP;
    RETURN pieces;
END $$
"""

BY_DATE = """
CREATE INDEX study_by_date ON core.study (study_date DESC, id DESC)
    INCLUDE (patient_name_key, study_description_key, referring_physician_name_key) WHERE deleted_by IS NULL
"""
BY_PATIENT = """
CREATE INDEX study_by_patient ON core.study (patient_id, issuer, id) INCLUDE (patient_name_key) WHERE deleted_by IS NULL
"""
BY_NAME = """
CREATE INDEX study_by_name ON core.study (patient_name_key) INCLUDE (study_date, id) WHERE deleted_by IS NULL
"""
BY_ACCESSION_NUMBER = "CREATE INDEX study_by_accession_number ON core.study (accession_number)"
BY_BIRTH_DATE = "CREATE INDEX study_by_birth_date ON core.study (patient_birth_date)"
BY_STUDY_ID = "CREATE INDEX study_by_study_id ON core.study (study_id)"
BY_MODALITY = "CREATE INDEX study_by_modality ON core.study USING gin (modalities)"
BY_GRAMS = """
CREATE INDEX study_by_grams ON core.study USING gin (
    core.grams(patient_name_key), core.grams(patient_id), core.grams(accession_number),
    core.grams(study_description_key), core.grams(referring_physician_name_key)
)
"""
# Counts change with each object that arrives: room on the page keeps these updates out of the indexes.
ROOM = "ALTER TABLE core.{table} SET (fillfactor = 85)"


def upgrade() -> None:
    """Make the function and the indexes."""
    op.execute(GRAMS)
    for statement in (
        BY_DATE,
        BY_PATIENT,
        BY_NAME,
        BY_ACCESSION_NUMBER,
        BY_BIRTH_DATE,
        BY_STUDY_ID,
        BY_MODALITY,
        BY_GRAMS,
    ):
        op.execute(statement)
    for table in ("study", "series"):
        op.execute(ROOM.format(table=table))
