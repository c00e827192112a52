"""Service classes, and which of them answers a request: by SOP class and command."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from charrua_core.dicom.association import Association
from charrua_core.dicom.command import CommandField
from charrua_core.dicom.exchange import UNRECOGNIZED_OPERATION
from charrua_core.dicom.message import Message
from charrua_core.types import is_valid_uid

SOP_CLASS_NOT_SUPPORTED = 0x0122
INVALID_SOP_INSTANCE = 0x0117
"""Statuses of PS3.7 annex C."""

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian."""

_REPEATS_CONTEXT = frozenset({CommandField.C_STORE, CommandField.C_FIND, CommandField.C_MOVE, CommandField.C_GET})
"""Commands whose Affected SOP Class is the context's abstract syntax; N-services of meta SOP classes differ."""

log = logging.getLogger("charrua_core.dicom")

TransferSyntaxChoice = Callable[[str, Sequence[str], Association | None], str | None]
"""Of a SOP class, those offered and the association; without one where the conformance statement asks what is taken."""


def first_offered(*taken: str) -> TransferSyntaxChoice:
    """A choice: the first transfer syntax offered among those taken."""

    def choose(_: str, offered: Sequence[str], __: Association | None) -> str | None:
        return next((uid for uid in offered if uid in taken), None)

    return choose


def agreeing(offered: bytes) -> Callable[[str, bytes], bytes]:
    """Give what answers SOP Class Extended Negotiation: of what is asked, what is offered, byte by byte (PS3.4 C.5.1.1)."""
    return lambda _, asked: bytes(wanted & one for wanted, one in zip(asked, offered, strict=False))


_first_uncompressed = first_offered(*UNCOMPRESSED)


@dataclass(frozen=True, slots=True)
class Roles:
    """Which roles the requestor of an association may play on the SOP classes of a service (PS3.7 D.3.3.4)."""

    scu: bool = True
    scp: bool = False


@dataclass(frozen=True)
class ServiceClass:
    """A DICOM service that we offer as SCP.

    `sop_classes` are the abstract syntaxes, as a set or as a predicate. `transfer_syntaxes` chooses one of those offered,
    or None to refuse the context; the default takes the first uncompressed one. `roles` with `scp=True` lets the
    requestor be the SCP, as C-GET needs for storage SOP classes. `handle` answers each message with
    `association.respond`: what it raises is answered with the error's status or 0x0110 (processing failure). `extended`
    answers SOP Class Extended Negotiation, or gives None to say nothing. `statuses`, with what each means here, and the
    Markdown that `about` gives are for the conformance statement.
    """

    name: str
    sop_classes: Callable[[str], bool] | Collection[str]
    handle: Callable[[Association, Message], Awaitable[None]]
    commands: frozenset[int]
    transfer_syntaxes: TransferSyntaxChoice = _first_uncompressed
    roles: Roles = Roles()
    extended: Callable[[str, bytes], bytes | None] | None = None
    statuses: Mapping[int, str] = field(default_factory=dict)
    about: Callable[[], str] | None = None

    def takes(self, abstract_syntax: str) -> bool:
        """Whether this SOP class is one of the service's."""
        return self.sop_classes(abstract_syntax) if callable(self.sop_classes) else abstract_syntax in self.sop_classes


class Dispatcher:
    """Finds the service class for a SOP class; among several that take one, the first that has the command."""

    def __init__(self, service_classes: Sequence[ServiceClass]) -> None:
        self.service_classes = tuple(service_classes)

    def services_for(self, abstract_syntax: str) -> list[ServiceClass]:
        """All service classes that take this SOP class, in the order given."""
        return [service for service in self.service_classes if service.takes(abstract_syntax)]

    async def serve(self, association: Association, message: Message) -> None:
        """Let the right service answer; else 0x0122 (SOP class), 0x0117 (instance UID) or 0x0211 (operation)."""
        services = self.services_for(message.context.abstract_syntax)
        service = next((service for service in services if message.command.command_field in service.commands), None)
        refused = _refusal(message)
        if not services or refused == SOP_CLASS_NOT_SUPPORTED:
            await association.respond(message, SOP_CLASS_NOT_SUPPORTED)
        elif service is None:
            await association.respond(message, UNRECOGNIZED_OPERATION)
        elif refused is not None:
            await association.respond(message, refused)
        else:
            await service.handle(association, message)


def _refusal(message: Message) -> int | None:
    """The status for UIDs that no handler should see."""
    command, context = message.command, message.context
    sop_class = command.affected_sop_class_uid or command.requested_sop_class_uid or ""
    if not is_valid_uid(sop_class):
        return SOP_CLASS_NOT_SUPPORTED
    if command.command_field in _REPEATS_CONTEXT and sop_class != context.abstract_syntax:
        return SOP_CLASS_NOT_SUPPORTED
    for instance in (command.affected_sop_instance_uid, command.requested_sop_instance_uid):
        if instance is not None and not (instance == "" or is_valid_uid(instance)):
            return INVALID_SOP_INSTANCE
    if command.command_field == CommandField.C_STORE and not command.affected_sop_instance_uid:
        return INVALID_SOP_INSTANCE
    return None
