"""The DIMSE side: Modality Performed Procedure Step and its Retrieve as SCP (PS3.4 F.7, F.8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from charrua_core import audit
from charrua_core.dicom import Association, Command, CommandField, Message, ServiceClass
from charrua_core.dicom.n_services import (
    ATTRIBUTE_LIST_ERROR,
    Answer,
    dataset_of,
    got,
    instance_of,
    refusal_of,
    respond,
)
from charrua_core.dicom.refusing import log_refusal
from charrua_core.errors import AssociationAborted, CharruaError
from charrua_core.types import DicomJson
from charrua_hl7.performed import steps
from charrua_hl7.performed.model import MPPS, RETRIEVE, Caller
from charrua_hl7.performed.refusals import GET_STATUSES, PERFORM_STATUSES, SopClassUnknown, StepUnknown
from charrua_hl7.performed.words import about

if TYPE_CHECKING:
    from charrua_core.app import App

_KINDS: Mapping[int, audit.Action] = {CommandField.N_CREATE: "C", CommandField.N_GET: "R"}


def performed_scps(app: App) -> Sequence[ServiceClass]:
    """Give the SCPs."""
    scp = PerformedScp(app)
    creating = frozenset({CommandField.N_CREATE, CommandField.N_SET})
    return [
        ServiceClass(
            "Modality Performed Procedure Step",
            {MPPS},
            scp.handle,
            creating,
            statuses=PERFORM_STATUSES,
            about=about,
        ),
        ServiceClass(
            "Modality Performed Procedure Step Retrieve",
            {RETRIEVE},
            scp.handle,
            frozenset({CommandField.N_GET}),
            statuses=GET_STATUSES,
        ),
    ]


class PerformedScp:
    """Answers N-CREATE, N-SET and N-GET with the statuses tabled in `refusals`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._operations: dict[int, Callable[[Caller, Message, DicomJson], Awaitable[Answer]]] = {
            CommandField.N_CREATE: self._create,
            CommandField.N_SET: self._set,
            CommandField.N_GET: self._get,
        }

    async def handle(self, association: Association, message: Message) -> None:
        """Answer one request."""
        caller = _caller(self._app, association)
        try:
            given = await dataset_of(message)
            _check_class(message)
            answer = await self._operations[message.command.command_field](caller, message, given)
        except AssociationAborted:
            raise
        except CharruaError as error:
            log_refusal(association, message, error, performed=instance_of(message.command))
            self._note_refusal(caller, message.command, error)
            answer = refusal_of(error)
        await respond(association, message, answer, self._app.peers.character_set(caller.aet))

    def _note_refusal(self, caller: Caller, command: Command, error: CharruaError) -> None:
        kind = _KINDS.get(command.command_field, "U")
        status, refused = f"{error.dimse_status:04X}", type(error).__name__
        detail = {"performed": instance_of(command), "refused": refused, "status": status}
        self._app.audit.later(
            audit.Event.PROCEDURE_RECORD, kind, caller.identity.name, caller.origin, succeeded=False, **detail
        )

    async def _create(self, caller: Caller, message: Message, given: DicomJson) -> Answer:
        uid = await steps.create(self._app, caller, instance_of(message.command), given)
        return Answer(elements={"affected_sop_instance_uid": uid})

    async def _set(self, caller: Caller, message: Message, given: DicomJson) -> Answer:
        refused = await steps.change(self._app, caller, instance_of(message.command), given)
        if not refused:
            return Answer()
        tags = tuple(int(tag, 16) for tag in refused)
        return Answer(ATTRIBUTE_LIST_ERROR, elements={"attribute_identifier_list": tags})

    async def _get(self, caller: Caller, message: Message, _given: DicomJson) -> Answer:
        return got(message.command, await steps.get(self._app, caller, instance_of(message.command)))


def _caller(app: App, association: Association) -> Caller:
    return Caller(app.identity_of(association), app.origin_of(association))


def _check_class(message: Message) -> None:
    """Raise unless the request is about the class that was negotiated, and names its instance where it has to."""
    command = message.command
    named = command.affected_sop_class_uid or command.requested_sop_class_uid
    # Some SCUs name the class of which the instance is, also where they retrieve it (PS3.4 F.8.2.1 has it otherwise).
    if named not in (MPPS, message.context.abstract_syntax):
        raise SopClassUnknown
    if command.command_field != CommandField.N_CREATE and not instance_of(command):
        raise StepUnknown
