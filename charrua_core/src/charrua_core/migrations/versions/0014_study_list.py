"""The orders of the study list: indexes in which a page of a million studies begins anywhere."""

from __future__ import annotations

from alembic import op

revision = "0014_study_list"
down_revision = "0013_trouble"
branch_labels = None
depends_on = None

BY_DATE = """
CREATE INDEX study_by_date ON core.study (study_date DESC, {time}id DESC)
    INCLUDE (patient_name_key, study_description_key, referring_physician_name_key) WHERE deleted_by IS NULL
"""
BY_ACCESSION_NUMBER = "CREATE INDEX study_by_accession_number ON core.study ({columns})"
ORDERS = {
    "study_by_description": "study_description_key, id",
    "study_by_referring": "referring_physician_name_key, id",
    "study_by_status": "status, study_date, study_time, id",
    "study_by_arrival": "first_received_at, id",
}


def upgrade() -> None:
    """Sort the studies of a day by their time as well, and make the orders that have no index yet."""
    op.execute("DROP INDEX core.study_by_date, core.study_by_accession_number")
    op.execute(BY_DATE.format(time="study_time DESC, "))
    op.execute(BY_ACCESSION_NUMBER.format(columns="accession_number, id"))
    for name, columns in ORDERS.items():
        op.execute(f"CREATE INDEX {name} ON core.study ({columns}) WHERE deleted_by IS NULL")


def downgrade() -> None:
    """Leave the indexes as they were."""
    op.execute(
        f"DROP INDEX core.study_by_date, core.study_by_accession_number, {', '.join(f'core.{name}' for name in ORDERS)}"
    )
    op.execute(BY_DATE.format(time=""))
    op.execute(BY_ACCESSION_NUMBER.format(columns="accession_number"))
