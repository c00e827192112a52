"""The DIMSE side: Modality Performed Procedure Step and its Retrieve as SCP (PS3.4 F.7, F.8)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from charrua_core import audit
from charrua_core.archive.datasets.identifier import decode_identifier, encode_identifier
from charrua_core.dicom import Association, Command, CommandField, Message, ServiceClass
from charrua_core.errors import AssociationAborted, CharruaError
from charrua_core.types import DicomJson
from charrua_hl7.performed import steps
from charrua_hl7.performed.model import CHARACTER_SET, MPPS, RETRIEVE, Caller
from charrua_hl7.performed.refusals import (
    ATTRIBUTE_LIST_ERROR,
    GET_STATUSES,
    NOT_ALL_ATTRIBUTES,
    PERFORM_STATUSES,
    SUCCESS,
    SopClassUnknown,
    StepRefused,
    StepUnknown,
)
from charrua_hl7.performed.words import about

if TYPE_CHECKING:
    from charrua_core.app import App

LIMIT = 4 << 20
ELEMENTS = 100_000
"""The most bytes and elements of a data set: a step of 20,000 images has 2 MB and 60,000."""
COMMENT_LENGTH = 64

log = logging.getLogger(__name__)

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


@dataclass(slots=True)
class Answer:
    """What a request is answered with."""

    status: int = SUCCESS
    attributes: DicomJson | None = None
    elements: dict[str, Any] = field(default_factory=dict)


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
        syntax = message.context.transfer_syntax
        try:
            given = _read(await message.read(LIMIT), syntax) if message.has_data else {}
            _check_class(message)
            answer = await self._operations[message.command.command_field](caller, message, given)
        except AssociationAborted:
            raise
        except CharruaError as error:
            self._refuse(caller, message.command, error)
            answer = _refusal(error)
        charset = self._app.peers.character_set(caller.aet)
        told = None if answer.attributes is None else encode_identifier(answer.attributes, syntax, "", charset)
        await association.respond(message, answer.status, told, **answer.elements)

    def _refuse(self, caller: Caller, command: Command, error: CharruaError) -> None:
        status, refused = f"{error.dimse_status:04X}", type(error).__name__
        log.warning(
            "refused: %s",
            refused,
            exc_info=error.__cause__,
            extra={"action": "refused", "status": status, "peer": caller.aet, "performed": _instance(command)},
        )
        kind = _KINDS.get(command.command_field, "U")
        detail = {"performed": _instance(command), "refused": refused, "status": status}
        self._app.audit.later(
            audit.Event.PROCEDURE_RECORD, kind, caller.identity.name, caller.origin, succeeded=False, **detail
        )

    async def _create(self, caller: Caller, message: Message, given: DicomJson) -> Answer:
        uid = await steps.create(self._app, caller, _instance(message.command), given)
        return Answer(elements={"affected_sop_instance_uid": uid})

    async def _set(self, caller: Caller, message: Message, given: DicomJson) -> Answer:
        refused = await steps.change(self._app, caller, _instance(message.command), given)
        if not refused:
            return Answer()
        tags = tuple(int(tag, 16) for tag in refused)
        return Answer(ATTRIBUTE_LIST_ERROR, elements={"attribute_identifier_list": tags})

    async def _get(self, caller: Caller, message: Message, _given: DicomJson) -> Answer:
        asked = {f"{tag:08X}" for tag in message.command.attribute_identifier_list or ()}
        attributes = await steps.get(self._app, caller, _instance(message.command))
        if not asked:
            return Answer(attributes=attributes)
        found = {tag: one for tag, one in attributes.items() if tag in asked}
        missing = asked - found.keys() - {CHARACTER_SET}  # that one is written with the answer
        return Answer(NOT_ALL_ATTRIBUTES if missing else SUCCESS, found)


def _caller(app: App, association: Association) -> Caller:
    return Caller(app.identity_of(association), app.origin_of(association))


def _read(data_set: bytes, transfer_syntax_uid: str) -> DicomJson:
    """Give a data set without group lengths, and without NUL, which PostgreSQL does not take in a text."""
    decoded = decode_identifier(data_set, transfer_syntax_uid, elements=ELEMENTS)
    return {tag: _without_nul(one) for tag, one in decoded.items() if tag[4:] != "0000"}


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    return {name: _without_nul(one) for name, one in value.items()} if isinstance(value, dict) else value


def _check_class(message: Message) -> None:
    """Raise unless the request is about the class that was negotiated, and names its instance where it has to."""
    command = message.command
    named = command.affected_sop_class_uid or command.requested_sop_class_uid
    # Some SCUs name the class of which the instance is, also where they retrieve it (PS3.4 F.8.2.1 has it otherwise).
    if named not in (MPPS, message.context.abstract_syntax):
        raise SopClassUnknown
    if command.command_field != CommandField.N_CREATE and not _instance(command):
        raise StepUnknown


def _instance(command: Command) -> str:
    return command.affected_sop_instance_uid or command.requested_sop_instance_uid or ""


def _refusal(error: CharruaError) -> Answer:
    elements: dict[str, Any] = {"error_comment": str(error)[:COMMENT_LENGTH]}
    if isinstance(error, StepRefused):
        elements |= {"attribute_identifier_list": error.tags} if error.tags else {}
        elements |= {"error_id": error.error_id} if error.error_id is not None else {}
    return Answer(error.dimse_status, elements=elements)
