"""Visitors: people outside, who came by a link or by the patient portal, and what they may do.

They see the studies that they came for and nothing else, by filters as everybody's. A link shows no more than who made it
might see then and may see now: with that account or its right to share, the link ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from charrua_core import tables
from charrua_core.accounts import rows
from charrua_core.types import Identity, RowFilter

if TYPE_CHECKING:
    from charrua_core.db import Database
    from charrua_core.settings import Settings

ROLE = "Visitor"
PORTAL = "patient portal"
"""Who came by the patient portal, in the audit trail and among the sessions."""
MAY_VIEW = frozenset({"view"})
MAY_FETCH = MAY_VIEW | {"retrieve"}
_share, _account, _role = tables.share, tables.account, tables.role


def is_visitor(identity: Identity) -> bool:
    """Whether this is somebody from outside."""
    return ROLE in identity.roles


def name_of(share: UUID) -> str:
    """Give the name under which who came by a link is known."""
    return f"link {str(share)[:8]}"


def visitor(name: str, study_uids: Sequence[str], *, dicom: bool, filters: Sequence[RowFilter] = ()) -> Identity:
    """Give the identity of who may see these studies, as far as other filters let them, and with `dicom` fetch them."""
    theirs = RowFilter({"StudyInstanceUID": tuple(study_uids)})
    may = MAY_FETCH if dicom else MAY_VIEW
    return Identity(name, "user", frozenset({ROLE}), may, (theirs, *filters))


def in_force() -> ColumnElement[bool]:
    """Say that a link is neither revoked nor expired."""
    until = _share.c.expires_at
    return _share.c.revoked_at.is_(None) & (until.is_(None) | (until > func.now()))


def with_maker() -> Any:
    """Give the statement that selects links, each with what the account that made it may do and see now."""
    now = (_account.c.disabled, _account.c.row_filter, _role.c.permissions)
    return (
        select(_share, *now)
        .outerjoin_from(_share, _account, _account.c.name == _share.c.account)
        .outerjoin(_role, _role.c.name == _account.c.role)
    )


def as_visitor(row: Any) -> Identity | None:
    """Give who comes by a link, a row of `with_maker`; None where who made it may not share any more."""
    if row.account is not None and (row.disabled or "share" not in row.permissions):
        return None
    then = rows.filters_of(row.row_filters)
    now = rows.row_filter_of(row.row_filter) if row.account is not None else ()
    filters = [*then, *(one for one in now if one not in then)]
    return visitor(name_of(row.id), row.study_uids, dicom=row.dicom, filters=filters)


async def by_share(db: Database, share: UUID) -> Identity | None:
    """Give who came by a link, with what that lets them see now; None where it is not in force any more."""
    async with db.reading() as connection:
        found = (await connection.execute(with_maker().where(_share.c.id == share, in_force()))).one_or_none()
    return None if found is None else as_visitor(found)


def still_open(identity: Identity, settings: Settings) -> Identity | None:
    """Give who was vouched for at the log-in, as it is now: the portal may have been closed, or give less."""
    if not is_visitor(identity):
        return identity
    if not settings["patient_portal"]:
        return None
    return identity if settings["share_link_dicom"] else replace(identity, permissions=identity.permissions & MAY_VIEW)
