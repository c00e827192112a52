"""The parties of a unified worklist, by pynetdicom: who orders, who performs, who watches; and workitems for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from charrua_core.types import Peer

PUSH, WATCH, PULL, EVENT, QUERY = (f"1.2.840.10008.5.1.4.34.6.{number}" for number in range(1, 6))
WORKLIST, FILTERED_WORKLIST = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"

_EMPTY = (
    "TransactionUID ScheduledProcessingParametersSequence ScheduledStationNameCodeSequence "
    "ScheduledStationClassCodeSequence ScheduledStationGeographicLocationCodeSequence ScheduledWorkitemCodeSequence "
    "CommentsOnTheScheduledProcedureStep InputInformationSequence OtherPatientIDsSequence AdmissionID "
    "IssuerOfAdmissionIDSequence AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence ReferencedRequestSequence "
    "ProcedureStepProgressInformationSequence UnifiedProcedureStepPerformedProcedureSequence"
)
"""What N-CREATE asks for and lets be empty."""


def code(value: str, scheme: str = "99TEST", meaning: str = "a code") -> Sequence:
    """Give a code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def a_workitem(**attributes: Any) -> Dataset:
    """What N-CREATE asks for, and these attributes."""
    item = Dataset()
    for keyword in _EMPTY.split():
        setattr(item, keyword, [] if keyword.endswith("Sequence") else "")
    item.ProcedureStepState = "SCHEDULED"
    item.ScheduledProcedureStepPriority = "MEDIUM"
    item.ProcedureStepLabel, item.WorklistLabel = "Segment the liver", "LIVER"
    item.ScheduledProcedureStepStartDateTime = "20261125083000"
    item.InputReadinessState = "READY"
    item.PatientName, item.PatientID = "Núñez^José", "4711"
    item.PatientBirthDate, item.PatientSex = "19700101", "M"
    item.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in attributes.items():
        if value is None:
            delattr(item, keyword)
        else:
            setattr(item, keyword, value)
    return item


def performed() -> Dataset:
    """What COMPLETED asks for."""
    step = Dataset()
    step.PerformedStationNameCodeSequence = code("STN1")
    step.PerformedWorkitemCodeSequence = code("110001", "DCM", "Image Processing")
    step.PerformedProcedureStepStartDateTime = "20261125090000"
    step.PerformedProcedureStepEndDateTime = "20261125091000"
    step.OutputInformationSequence = []
    changes = Dataset()
    changes.UnifiedProcedureStepPerformedProcedureSequence = [step]
    return changes


def discontinued() -> Dataset:
    """What CANCELED asks for."""
    progress = Dataset()
    progress.ProcedureStepCancellationDateTime = "20261125091000"
    progress.ProcedureStepDiscontinuationReasonCodeSequence = code("110500", "DCM", "Doctor canceled procedure")
    changes = Dataset()
    changes.ProcedureStepProgressInformationSequence = [progress]
    return changes


def in_transaction(changes: Dataset, transaction_uid: str) -> Dataset:
    """Give the changes with their Transaction UID."""
    changes.TransactionUID = transaction_uid
    return changes


@dataclass
class Party:
    """An AE that works with the archive's worklist, and hears of events where it listens."""

    archive: Peer
    aet: str
    port: int = 0
    heard: list[tuple[str, int, Dataset]] = field(default_factory=list)
    """(workitem, event type, information), in order."""

    def _asked(self, negotiated: str, ask: Any) -> Any:
        ae = AE(self.aet)
        ae.add_requested_context(negotiated)
        association = ae.associate(self.archive.host, self.archive.port, ae_title=self.archive.aet)
        if not association.is_established:
            raise ConnectionError(f"{self.aet} was not admitted")
        try:
            return ask(association)
        finally:
            association.release()

    async def ask(self, negotiated: str, ask: Any) -> Any:
        """Give what `ask` gives of an association for this SOP class."""
        return await asyncio.to_thread(self._asked, negotiated, ask)

    async def push(self, item: Dataset, uid: str | None = None) -> tuple[int, str]:
        """N-CREATE; gives the status and the UID."""
        uid = uid or generate_uid()
        status, _ = await self.ask(PUSH, lambda to: to.send_n_create(item, PUSH, uid))
        return status.Status, uid

    async def get(self, uid: str, tags: list[int] | None = None, negotiated: str = PULL) -> tuple[int, Dataset | None]:
        """N-GET; gives the status and the attributes."""
        status, found = await self.ask(negotiated, lambda to: to.send_n_get(tags or [], PUSH, uid, meta_uid=negotiated))
        return status.Status, found

    async def set(self, uid: str, changes: Dataset) -> int:
        """N-SET; gives the status."""
        status, _ = await self.ask(PULL, lambda to: to.send_n_set(changes, PUSH, uid, meta_uid=PULL))
        return int(status.Status)

    async def act(self, uid: str, action: int, information: Dataset | None, negotiated: str) -> int:
        """N-ACTION; gives the status."""

        def ask(to: Any) -> Any:
            return to.send_n_action(information, action, PUSH, uid, meta_uid=negotiated)

        status, _ = await self.ask(negotiated, ask)
        return int(status.Status)

    async def enter(self, uid: str, state: str, transaction_uid: str | None) -> int:
        """Change UPS State."""
        information = Dataset()
        information.ProcedureStepState = state
        if transaction_uid:
            information.TransactionUID = transaction_uid
        return await self.act(uid, 1, information, PULL)

    async def request_cancel(self, uid: str, **reason: Any) -> int:
        """Request UPS Cancel; gives the status."""
        information = Dataset()
        for keyword, value in reason.items():
            setattr(information, keyword, value)
        return await self.act(uid, 2, information or None, PUSH)

    async def watch(
        self, uid: str, action: int = 3, *, lock: str | None = "FALSE", receiver: str = "", **keys: Any
    ) -> int:
        """Subscribe (3), unsubscribe (4) or suspend (5)."""
        information = Dataset()
        information.ReceivingAE = receiver or self.aet
        if lock and action == 3:
            information.DeletionLock = lock
        for keyword, value in keys.items():
            setattr(information, keyword, value)
        return await self.act(uid, action, information, WATCH)

    async def find(self, model: str = PULL, **keys: Any) -> list[Dataset]:
        """C-FIND; LookupError on a failure."""
        asked = Dataset()
        for keyword, value in keys.items():
            setattr(asked, keyword, value)
        asked.SOPInstanceUID = asked.get("SOPInstanceUID", "")

        def ask(to: Any) -> list[Any]:
            return list(to.send_c_find(asked, model))

        answers = await self.ask(model, ask)
        if answers[-1][0].Status:
            raise LookupError(f"{answers[-1][0].Status:04X}")
        return [found for status, found in answers if status.Status == 0xFF00]

    def types(self, uid: str) -> list[int]:
        """The types of the events of a workitem that were heard."""
        return [number for workitem, number, _ in self.heard if workitem == uid]

    def states(self, uid: str) -> list[str]:
        """The states of a workitem that were heard."""
        return [told.ProcedureStepState for workitem, number, told in self.heard if (workitem, number) == (uid, 1)]


class Listening:
    """Parties that the archive knows as peers, listening for events."""

    def __init__(self, archive: Any) -> None:
        self._archive = archive
        self._servers: list[Any] = []

    async def __call__(self, aet: str, *, roles: bool = False, **known_as: Any) -> Party:
        """Have a party listen; `roles`: it answers role selection."""
        party = Party(self._archive.peer, aet)
        ae = AE(aet)
        ae.add_supported_context(EVENT, scu_role=False if roles else None, scp_role=True if roles else None)

        def hear(event: evt.Event) -> tuple[int, Dataset]:
            request: Any = event.request
            party.heard.append((str(request.AffectedSOPInstanceUID), request.EventTypeID, event.event_information))
            return 0x0000, Dataset()

        server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)])
        self._servers.append(server)
        party.port = server.server_address[1]
        await self._archive.add_peer(Peer(aet, "127.0.0.1", party.port, **known_as))
        return party

    def stop(self) -> None:
        """Listen no more."""
        while self._servers:
            self._servers.pop().shutdown()
