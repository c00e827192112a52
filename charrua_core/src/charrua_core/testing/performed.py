"""Modalities that tell what they perform (MPPS), and an AE that is told, by pynetdicom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom import AE, evt

from charrua_core.testing.worklist import code
from charrua_core.types import Peer

MPPS, RETRIEVE = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.4"

_EMPTY = (
    "ReferencedPatientSequence PerformedStationName PerformedLocation PerformedProcedureStepDescription "
    "PerformedProcedureTypeDescription ProcedureCodeSequence PerformedProcedureStepEndDate PerformedProcedureStepEndTime "
    "StudyID PerformedProtocolCodeSequence PerformedSeriesSequence PerformedProcedureStepDiscontinuationReasonCodeSequence"
)
_OF_STEP = {
    "ReferencedStudySequence": [],
    "AccessionNumber": "A1",
    "RequestedProcedureID": "RP1",
    "RequestedProcedureDescription": "Thorax",
    "ScheduledProcedureStepID": "S1",
    "ScheduledProcedureStepDescription": "Thorax",
    "ScheduledProtocolCodeSequence": [],
}


def with_values(item: Dataset, values: Mapping[str, Any]) -> Dataset:
    """Give the data set with these attributes by keyword; None leaves one out."""
    for keyword, value in values.items():
        if value is not None:
            setattr(item, keyword, value)
        elif keyword in item:
            delattr(item, keyword)
    return item


def a_scheduled_step(study_uid: str, **attributes: Any) -> Dataset:
    """An item of Scheduled Step Attributes Sequence."""
    return with_values(Dataset(), {"StudyInstanceUID": study_uid, **_OF_STEP, **attributes})


def a_step(study_uid: str = "", scheduled: list[Dataset] | None = None, **attributes: Any) -> Dataset:
    """What N-CREATE asks for, of one scheduled step of the study or of those given, and these attributes."""
    step = Dataset()
    for keyword in _EMPTY.split():
        setattr(step, keyword, [] if keyword.endswith("Sequence") else "")
    step.ScheduledStepAttributesSequence = Sequence(scheduled or [a_scheduled_step(study_uid or generate_uid())])
    step.SpecificCharacterSet = "ISO_IR 192"
    step.PatientName, step.PatientID = "Núñez^José", "4711"
    step.PatientBirthDate, step.PatientSex = "19700101", "M"
    step.PerformedProcedureStepID, step.PerformedStationAETitle, step.Modality = "P1", "CT1", "CT"
    step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20261126", "083000"
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    return with_values(step, attributes)


def a_series(series_uid: str = "", images: list[str] | None = None, **attributes: Any) -> Dataset:
    """An item of Performed Series Sequence that lists these images."""
    item = Dataset()
    item.SeriesInstanceUID = series_uid or generate_uid()
    item.ProtocolName, item.SeriesDescription, item.RetrieveAETitle = "Thorax", "axial", ""
    item.PerformingPhysicianName, item.OperatorsName = "", ""
    item.ReferencedImageSequence, item.ReferencedNonImageCompositeSOPInstanceSequence = [], []
    for uid in images or []:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, uid
        item.ReferencedImageSequence.append(reference)
    return with_values(item, attributes)


def an_end(*series: Dataset, **attributes: Any) -> Dataset:
    """What COMPLETED asks for: an end, and series (one, where none is given)."""
    changes = Dataset()
    changes.PerformedProcedureStepStatus = "COMPLETED"
    changes.PerformedProcedureStepEndDate, changes.PerformedProcedureStepEndTime = "20261126", "084500"
    changes.PerformedSeriesSequence = Sequence(series or [a_series()])
    return with_values(changes, attributes)


def a_discontinuation(
    value: str = "110500", scheme: str = "DCM", meaning: str = "Doctor canceled procedure"
) -> Dataset:
    """What DISCONTINUED comes with, and why."""
    changes = an_end(PerformedProcedureStepStatus="DISCONTINUED")
    changes.PerformedProcedureStepDiscontinuationReasonCodeSequence = code(value, scheme, meaning)
    return changes


@dataclass
class Performer:
    """A modality that knows the archive; each request has an association of its own. `answer` is the last response."""

    archive: Peer
    aet: str = "CT1"
    answer: Dataset = field(default_factory=Dataset)

    async def create(self, step: Dataset, uid: str | None = None) -> tuple[int, str]:
        """N-CREATE; gives the status and the UID."""
        uid = uid or generate_uid()
        return await self._ask(MPPS, lambda to: to.send_n_create(step, MPPS, uid)), uid

    async def set(self, uid: str, changes: Dataset) -> int:
        """N-SET; gives the status."""
        return await self._ask(MPPS, lambda to: to.send_n_set(changes, MPPS, uid))

    async def get(self, uid: str, tags: list[int] | None = None) -> tuple[int, Dataset | None]:
        """N-GET; gives the status and the attributes."""
        found: list[Any] = []

        def ask(to: Any) -> Any:
            status, attributes = to.send_n_get(tags or [], RETRIEVE, uid)
            found.append(attributes)
            return status, attributes

        return await self._ask(RETRIEVE, ask), found[0]

    async def _ask(self, sop_class: str, ask: Callable[[Any], Any]) -> int:
        return await asyncio.to_thread(self._asked, sop_class, ask)

    def _asked(self, sop_class: str, ask: Callable[[Any], Any]) -> int:
        ae = AE(self.aet)
        ae.add_requested_context(sop_class)
        association = ae.associate(self.archive.host, self.archive.port, ae_title=self.archive.aet)
        if not association.is_established:
            raise ConnectionError(f"{self.aet} was not admitted")
        try:
            self.answer, _ = ask(association)
        finally:
            association.release()
        return int(self.answer.Status)


class Information:
    """An information system that steps are passed on to; `heard` is what it was told, `answers` the next statuses."""

    def __init__(self, aet: str = "RIS") -> None:
        self.aet = aet
        self.port = 0
        self.heard: list[tuple[str, str, Dataset]] = []
        """(N-CREATE or N-SET, UID, attributes), in order."""
        self.answers: list[int] = []
        self._server: Any = None

    def start(self) -> None:
        """Listen, at the same port as before."""
        ae = AE(self.aet)
        ae.add_supported_context(MPPS)
        handlers: list[Any] = [(evt.EVT_N_CREATE, self._created), (evt.EVT_N_SET, self._set)]
        self._server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    @property
    def peer(self) -> Peer:
        """It, as the archive knows it."""
        return Peer(self.aet, "127.0.0.1", self.port, timeout_s=5.0)

    def _created(self, event: evt.Event) -> tuple[int, Dataset | None]:
        request: Any = event.request
        return self._hear("N-CREATE", str(request.AffectedSOPInstanceUID), event.attribute_list)

    def _set(self, event: evt.Event) -> tuple[int, Dataset | None]:
        request: Any = event.request
        return self._hear("N-SET", str(request.RequestedSOPInstanceUID), event.modification_list)

    def _hear(self, operation: str, uid: str, attributes: Dataset) -> tuple[int, Dataset | None]:
        self.heard.append((operation, uid, attributes))
        status = self.answers.pop(0) if self.answers else 0x0000
        return status, attributes if status == 0x0000 else None
