"""The patient portal: Patient ID and Accession Number open the studies that have both (manual, chapter 7.3.1)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from charrua_core import audit
from charrua_core.accounts import throttle, visits
from charrua_core.archive.search import OneOf
from charrua_core.errors import NotPermitted
from charrua_core.shares.opening import note, wait
from charrua_core.shares.studies import ACCESSION_NUMBER, PATIENT_ID, find, is_plain, text
from charrua_core.types import SYSTEM, DicomJson, Identity, Origin

if TYPE_CHECKING:
    from charrua_core.app import App

WRONG = "there is no study with this Patient ID and this Accession Number"
_MOST_STUDIES = 100
_guessing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def enter(
    app: App, patient_id: str, accession_number: str, origin: Origin, *, agent: str
) -> tuple[str, Identity]:
    """Give the session of a patient, and whose it is.

    Raises NotPermitted: 404 where the portal is closed, 403 where there is no such study, whatever is wrong with what was
    given, and 429 for who, or for whose Patient ID, was wrong too often.
    """
    if not app.settings["patient_portal"]:
        raise _refused("there is nothing at this path", 404)
    # A Patient ID is kept nowhere but in the index: what is counted is its digest.
    digest = hashlib.sha256(patient_id.strip().encode(errors="replace")).hexdigest()[:32]
    keys = (f"portal {digest} from {origin.address}", f"patient {digest}", f"address {origin.address}")
    async with _guessing.setdefault(digest, asyncio.Lock()):
        await wait(app, keys, "too many wrong numbers: wait a little")
        studies = await _studies(app, patient_id, accession_number)
        if not studies:
            await throttle.failed(app.db, keys, app.settings["authentication_delay"])
            await note(app, visits.PORTAL, origin, (), reason=WRONG)
            raise _refused(WRONG, 403)
        await throttle.succeeded(app.db, keys)
    return await _begin(app, tuple(studies), origin, agent)


async def _studies(app: App, patient_id: str, accession_number: str) -> dict[str, DicomJson]:
    """Give the studies that have exactly these, whatever a search makes of blanks and letters."""
    given = {PATIENT_ID: patient_id.strip(), ACCESSION_NUMBER: accession_number.strip()}
    if not all(map(is_plain, given.values())):
        return {}
    keys = {PATIENT_ID: OneOf("LO", (given[PATIENT_ID],)), ACCESSION_NUMBER: OneOf("SH", (given[ACCESSION_NUMBER],))}
    found = await find(app, SYSTEM, keys, _MOST_STUDIES)
    return {uid: one for uid, one in found.items() if all(text(one, tag) == value for tag, value in given.items())}


async def _begin(app: App, study_uids: tuple[str, ...], origin: Origin, agent: str) -> tuple[str, Identity]:
    identity = visits.visitor(visits.PORTAL, study_uids, dicom=app.settings["share_link_dicom"])
    session = await app.accounts.sessions.begin(identity, address=origin.address, agent=agent)
    async with app.db.transaction() as tx:
        event = audit.Event.USER_AUTHENTICATION
        await audit.record(tx, event, "E", identity.name, origin, study_uids=study_uids)
    return session, identity


def _refused(reason: str, status: int) -> NotPermitted:
    error = NotPermitted(reason)
    error.http_status = status
    return error
