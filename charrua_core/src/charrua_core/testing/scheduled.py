"""What a station asks of a Modality Worklist, by pynetdicom, and data sets for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from charrua_core.types import Peer

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
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


def _ask(archive: Peer, aet: str, queries: Sequence[Dataset], extended: bytes) -> list[list[Dataset] | int]:
    ae = AE(aet)
    ae.add_requested_context(MODALITY_WORKLIST)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = MODALITY_WORKLIST, extended
    association = ae.associate(archive.host, archive.port, ae_title=archive.aet, ext_neg=[item] if extended else None)
    if not association.is_established:
        raise ConnectionError(f"{aet} was not admitted")
    try:
        return [_answer(list(association.send_c_find(query, MODALITY_WORKLIST))) for query in queries]
    finally:
        association.release()


def _answer(answers: list[tuple[Any, Any]]) -> list[Dataset] | int:
    final = int(answers[-1][0].Status)
    return final if final else [found for status, found in answers if status.Status in (0xFF00, 0xFF01)]


async def ask_all(
    archive: Peer, queries: Sequence[Dataset], aet: str = "STATION", extended: bytes = b""
) -> list[list[Dataset] | int]:
    """Give what each C-FIND of one association finds, or the status with which it failed."""
    return await asyncio.to_thread(_ask, archive, aet, queries, extended)


async def ask(archive: Peer, query: Dataset, aet: str = "STATION", extended: bytes = b"") -> list[Dataset]:
    """Give what a C-FIND finds. Raises Failed."""
    [found] = await ask_all(archive, [query], aet, extended)
    if isinstance(found, int):
        raise Failed(found)
    return found
