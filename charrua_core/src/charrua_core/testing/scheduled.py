"""What a station asks of a Modality Worklist, by pynetdicom, and data sets for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from charrua_core.dicom import ProposedContext, associate
from charrua_core.types import Peer

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_OF_STEP = (
    *("Modality", "RequestedContrastAgent", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"),
    *("ScheduledProcedureStepStartTime", "ScheduledProcedureStepEndDate", "ScheduledProcedureStepEndTime"),
    *("ScheduledPerformingPhysicianName", "ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence"),
    *("ScheduledProcedureStepID", "ScheduledStationName", "ScheduledProcedureStepLocation", "PreMedication"),
    *("ScheduledProcedureStepStatus", "CommentsOnTheScheduledProcedureStep"),
)


def scheduled(**attributes: Any) -> Dataset:
    """Give a data set of these attributes, those of a step in the item of Scheduled Procedure Step Sequence."""
    told, step = Dataset(), Dataset()
    for keyword, value in attributes.items():
        setattr(step if keyword in _OF_STEP else told, keyword, value)
    if len(step):
        told.ScheduledProcedureStepSequence = [step]
    return told


class Failed(Exception):
    """The query ended with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04X}")
        self.status = status


def _ask(archive: Peer, aet: str, query: Dataset, extended: bytes) -> list[tuple[int, Dataset | None]]:
    ae = AE(aet)
    ae.add_requested_context(MODALITY_WORKLIST)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = MODALITY_WORKLIST, extended
    association = ae.associate(archive.host, archive.port, ae_title=archive.aet, ext_neg=[item] if extended else None)
    if not association.is_established:
        raise ConnectionError(f"{aet} was not admitted")
    try:
        return [(int(status.Status), found) for status, found in association.send_c_find(query, MODALITY_WORKLIST)]
    finally:
        association.release()


async def ask(archive: Peer, query: Dataset, aet: str = "STATION", extended: bytes = b"") -> list[Dataset]:
    """Give what a C-FIND of pynetdicom finds. Raises Failed."""
    *found, (final, _) = await asyncio.to_thread(_ask, archive, aet, query, extended)
    if final:
        raise Failed(final)
    return [one for _, one in found if one is not None]


async def ask_all(archive: Peer, queries: Sequence[Dataset], aet: str = "STATION") -> list[list[Dataset] | int]:
    """Give what each C-FIND of one association finds, or the status with which it failed.

    By our own client: pynetdicom may lose the first answer where a query follows another at once.
    """
    contexts = [ProposedContext(MODALITY_WORKLIST, (_EXPLICIT_LITTLE,))]
    async with associate(archive, contexts, calling_aet=aet) as association:
        return [await _answers(association, query) for query in queries]


async def _answers(association: Any, query: Dataset) -> list[Dataset] | int:
    asked = encode(query, is_implicit_vr=False, is_little_endian=True) or b""
    *found, (final, _) = [one async for one in association.find(MODALITY_WORKLIST, asked)]
    return int(final) or [decode(BytesIO(data), False, True) for _, data in found]
