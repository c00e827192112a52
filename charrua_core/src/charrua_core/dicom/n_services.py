"""What SCPs of the N-services have in common (PS3.7 10.1): what a request brings, why it is refused, how it is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom.datadict import dictionary_keyword

from charrua_core.archive.datasets.identifier import SPECIFIC_CHARACTER_SET, decode_identifier, encode_identifier
from charrua_core.dicom.association import Association
from charrua_core.dicom.command import Command
from charrua_core.dicom.message import Message
from charrua_core.dicom.refusing import comment_of
from charrua_core.errors import CharruaError
from charrua_core.types import DicomJson, without_nul

SUCCESS = 0x0000
NOT_ALL_ATTRIBUTES = 0x0001
"""A warning: of the attributes that N-GET asked for, some are not there (PS3.4 F.8.2.1, CC.2.7.4)."""
ATTRIBUTE_LIST_ERROR = 0x0107
"""A warning: all was set but the attributes that the response lists (PS3.7 C.4.2). Other statuses here are of its annex C."""

LIMIT = 4 << 20
ELEMENTS = 100_000
"""The most bytes and elements of a data set: a list of 20,000 objects has 2 to 3 MB and 60,000."""


class ServiceRefused(CharruaError):
    """The request is refused."""

    http_status = 400
    error_id: int | None = None
    """Error ID (0000,0903), where the service class has one for this."""

    @property
    def tags(self) -> tuple[int, ...]:
        """The attributes at fault, as a response's Attribute Identifier List has them."""
        return ()


class AttributesAtFault(ServiceRefused):
    """Some attributes are at fault: base of errors whose sentence ends with their keywords."""

    def __init__(self, tags: Iterable[str]) -> None:
        self._tags = tuple(int(tag, 16) for tag in tags)
        super().__init__(f"{(type(self).__doc__ or '').rstrip('.')}: {', '.join(map(keyword, self._tags))}")

    @property
    def tags(self) -> tuple[int, ...]:
        """Those."""
        return self._tags


class AttributeMissing(AttributesAtFault):
    """Missing attribute."""

    dimse_status = 0x0120


class ValueMissing(AttributesAtFault):
    """Missing value."""

    dimse_status = 0x0121


class ValueInvalid(AttributesAtFault):
    """Invalid value."""

    dimse_status = 0x0106


class ArgumentInvalid(AttributesAtFault):
    """Missing or invalid argument."""

    dimse_status = 0x0115


def keyword(tag: int) -> str:
    """Give the keyword of an attribute, its tag where PS3.6 has none."""
    try:
        return dictionary_keyword(tag)
    except KeyError:
        return f"{tag:08X}"


@dataclass(slots=True)
class Answer:
    """What a request is answered with; `elements` are those of the command, by their attribute's name."""

    status: int = SUCCESS
    attributes: DicomJson | None = None
    elements: dict[str, Any] = field(default_factory=dict)


def refusal_of(error: CharruaError) -> Answer:
    """Give what a request is answered with that ends with the error: status, comment, attributes at fault and Error ID."""
    elements: dict[str, Any] = {"error_comment": comment_of(error)}
    if isinstance(error, ServiceRefused):
        elements |= {"attribute_identifier_list": error.tags} if error.tags else {}
        elements |= {"error_id": error.error_id} if error.error_id is not None else {}
    return Answer(error.dimse_status, elements=elements)


def instance_of(command: Command) -> str:
    """Give the SOP Instance that a request is about, "" where it names none."""
    return command.affected_sop_instance_uid or command.requested_sop_instance_uid or ""


def got(command: Command, attributes: Mapping[str, Any]) -> Answer:
    """Give the answer of an N-GET: of the instance's attributes those that are asked for, all where none is named."""
    asked = {f"{tag:08X}" for tag in command.attribute_identifier_list or ()}
    found = {tag: one for tag, one in attributes.items() if tag in asked or not asked}
    missing = asked - found.keys() - {SPECIFIC_CHARACTER_SET}  # that one is written with the answer
    return Answer(NOT_ALL_ATTRIBUTES if missing else SUCCESS, found)


async def dataset_of(message: Message) -> DicomJson:
    """Give the data set of a request, {} where it brings none, without group lengths and as PostgreSQL takes it.

    Raises DataSetTooLarge, HeaderDamaged, AssociationAborted.
    """
    if not message.has_data:
        return {}
    decoded = decode_identifier(await message.read(LIMIT), message.context.transfer_syntax, elements=ELEMENTS)
    return {tag: without_nul(one) for tag, one in decoded.items() if tag[4:] != "0000"}


async def respond(association: Association, message: Message, answer: Answer, character_set: str = "") -> None:
    """Send the answer; `character_set` is the only one that the peer reads, "" where it is not known to have one."""
    syntax, attributes = message.context.transfer_syntax, answer.attributes
    told = None if attributes is None else encode_identifier(attributes, syntax, "", character_set)
    await association.respond(message, answer.status, told, **answer.elements)
