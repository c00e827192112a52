"""The links that somebody has made, or may look after, with what they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Text, cast

from charrua_core import tables
from charrua_core.accounts import visits
from charrua_core.shares.studies import studies_of
from charrua_core.types import DicomJson, Identity

if TYPE_CHECKING:
    from charrua_core.app import App

MOST_LISTED = 500
_share = tables.share


@dataclass(frozen=True, slots=True)
class Share:
    """A link, without its token, which nobody has but who got it."""

    id: str
    studies: Sequence[DicomJson]
    """Those that the one who asks may see."""
    made_by: str
    label: str
    dicom: bool
    asks_birth_date: bool
    uses_allowed: int | None
    uses: int
    made_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    state: str
    """`works`, or why it does not: `revoked`, `expired`, `used up`, `off`, because who made it may not share any more."""


async def listed(app: App, identity: Identity, *, study_uid: str = "", share: str = "") -> list[Share]:
    """Give the links that the identity has made, or where it manages users all whose studies it may see, newest first.

    `study_uid` leaves those to one study, `share` the one of this id.
    """
    statement = visits.with_maker().order_by(_share.c.made_at.desc(), _share.c.id).limit(MOST_LISTED)
    if not identity.may("manage_users"):
        statement = statement.where(_share.c.made_by == identity.name)
    if study_uid:
        statement = statement.where(_share.c.study_uids.op("@>")(cast([study_uid], ARRAY(tables.C))))
    if share:
        statement = statement.where(cast(_share.c.id, Text) == share.lower())
    async with app.db.reading() as connection:
        rows = (await connection.execute(statement)).all()
    seen = await studies_of(app, identity, list(dict.fromkeys(uid for row in rows for uid in row.study_uids)))
    found = [(row, [seen[uid] for uid in row.study_uids if uid in seen]) for row in rows]
    return [_as_share(row, studies) for row, studies in found if studies or row.made_by == identity.name]


def _as_share(row: Any, studies: Sequence[DicomJson]) -> Share:
    return Share(
        str(row.id),
        studies,
        row.made_by,
        row.label,
        row.dicom,
        row.asks_birth_date,
        row.uses_allowed,
        row.uses,
        row.made_at,
        row.expires_at,
        row.used_at,
        _state(row),
    )


def _state(row: Any) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
        return "expired"
    if row.uses_allowed is not None and row.uses >= row.uses_allowed:
        return "used up"
    return "off" if visits.as_visitor(row) is None else "works"
