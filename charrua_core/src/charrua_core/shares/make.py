"""Making a link: 256 random bits that are told once, for studies that who makes it may see."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert

from charrua_core import audit, tables
from charrua_core.accounts import rows, visits
from charrua_core.errors import NotPermitted, ShareInvalid, StudyNotFound
from charrua_core.shares.studies import BIRTH_DATE, studies_of, text
from charrua_core.types import DicomJson, Identity, Origin, is_valid_uid

if TYPE_CHECKING:
    from charrua_core.app import App

FOR_EVER = "for ever"
VALIDITIES: Mapping[str, timedelta | None] = {
    "1 day": timedelta(days=1),
    "2 days": timedelta(days=2),
    "30 days": timedelta(days=30),
    FOR_EVER: None,
}
"""As the setting share_link_validity and the pages say them (manual, appendix 2)."""
MOST_STUDIES, MOST_USES, LONGEST_LABEL = 100, 1000, 200
FORGOTTEN_AFTER = timedelta(days=90)
"""How long a link that has ended is listed; the audit trail keeps it."""
_share = tables.share


@dataclass(frozen=True, slots=True)
class Wish:
    """What a link shall be; what is None is as the settings say."""

    study_uids: Sequence[str]
    validity: str | None = None
    dicom: bool | None = None
    uses: int | None = None
    """How often it can be opened; None: as often as wanted."""
    asks_birth_date: bool = False
    label: str = ""
    """For whom it is: told to who made it alone."""


async def make(app: App, wish: Wish, identity: Identity, origin: Origin) -> tuple[str, Any]:
    """Give the token of a new link, and its row. Raises NotPermitted, StudyNotFound, and ShareInvalid for what will not do."""
    if not identity.may("share") or visits.is_visitor(identity):
        raise NotPermitted(f"{identity.name} may not make links")
    expires = _expiry(app, wish)
    await _check(app, wish, identity)
    token = secrets.token_urlsafe(32)
    async with app.db.transaction() as tx:
        await tx.execute(delete(_share).where(_ended_before(datetime.now(UTC) - FORGOTTEN_AFTER)))
        row = {
            "digest": digest_of(token),
            "study_uids": list(dict.fromkeys(wish.study_uids)),
            "account": await rows.account_of(tx, identity),
            "made_by": identity.name,
            "row_filters": rows.kept_filters(identity.row_filters),
            "label": wish.label.strip(),
            "dicom": app.settings["share_link_dicom"] if wish.dicom is None else wish.dicom,
            "asks_birth_date": wish.asks_birth_date,
            "uses_allowed": wish.uses,
            "expires_at": expires,
        }
        made = (await tx.execute(insert(_share).values(row).returning(_share))).one()
        await _note(tx, made, identity, origin)
    return token, made


def digest_of(token: str) -> bytes:
    """Give what is kept of a token."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _expiry(app: App, wish: Wish) -> datetime | None:
    validity = wish.validity or app.settings["share_link_validity"]
    if validity not in VALIDITIES:
        raise ShareInvalid(f"a link is valid {', '.join(VALIDITIES)}, not {validity[:40]!r}")
    lasts = VALIDITIES[validity]
    if lasts is None and not app.settings["allow_unlimited_links"]:
        raise ShareInvalid("links that are valid for ever are not allowed here (setting allow_unlimited_links)")
    return None if lasts is None else datetime.now(UTC) + lasts


async def _check(app: App, wish: Wish, identity: Identity) -> None:
    if not 0 < len(wish.study_uids) <= MOST_STUDIES:
        raise ShareInvalid(f"a link is for 1 to {MOST_STUDIES} studies")
    if wish.uses is not None and not 0 < wish.uses <= MOST_USES:
        raise ShareInvalid(f"a link may be opened 1 to {MOST_USES} times, or as often as wanted")
    if len(wish.label) > LONGEST_LABEL or not (wish.label.isprintable() or not wish.label):
        raise ShareInvalid(f"a label has {LONGEST_LABEL} printable characters at most")
    found = await studies_of(app, identity, [uid for uid in wish.study_uids if is_valid_uid(uid)])
    if found.keys() != set(wish.study_uids):
        raise StudyNotFound
    if wish.asks_birth_date and birth_date_of(found) is None:
        raise ShareInvalid("the date of birth cannot be asked: the studies have none, or not the same")


def birth_date_of(studies: Mapping[str, DicomJson]) -> str | None:
    """Give the date of birth, as YYYYMMDD, that all of the studies have; None where there is no such date."""
    dates = {text(one, BIRTH_DATE) for one in studies.values()}
    only = dates.pop() if len(dates) == 1 else ""
    return only if len(only) == 8 and only.isdigit() else None


def _ended_before(moment: datetime) -> Any:
    return (_share.c.revoked_at < moment) | (_share.c.expires_at < moment)


async def _note(tx: Any, made: Any, identity: Identity, origin: Origin) -> None:
    said = {
        "share": str(made.id),
        "until": made.expires_at.isoformat() if made.expires_at else FOR_EVER,
        "uses": made.uses_allowed or 0,
        "dicom": made.dicom,
        "asks_birth_date": made.asks_birth_date,
    }
    event = audit.Event.SECURITY_ALERT
    await audit.record(tx, event, "C", identity.name, origin, study_uids=made.study_uids, **said)
