"""Modality Worklist as SCP (PS3.4 annex K)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.identifier import decode_identifier, encode_identifier, requested_character_set
from charrua_core.archive.search.asked import asked_for
from charrua_core.audit import Event
from charrua_core.dicom import Association, CommandField, Message, ServiceClass
from charrua_core.dicom.cancelling import Cancelled, until_cancelled
from charrua_core.errors import AssociationAborted, CharruaError, NotPermitted
from charrua_core.types import DicomJson, Origin
from charrua_hl7.worklist.searching import NO_LEVEL, Search, keys_of, search

if TYPE_CHECKING:
    from charrua_core.app import App

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
STATUSES = {
    SUCCESS: "no more matches",
    PENDING: "a match",
    CANCELLED: "cancelled",
    0x0110: "processing failure",
    0x0124: "the AE may not query",
    0xA700: "more matches than `worklist_results`, or the search takes too long",
    0xA900: "the identifier breaks a rule",
    0xC000: "the identifier cannot be read",
}
IDENTIFIER_LIMIT = 1 << 20
BATCH = 50
"""Matches that leave in one write."""
_AGREED = b"\1\1\1\0"
"""Two reserved bytes, fuzzy names, no adjustment to timezones (PS3.4 K.5.1)."""

_ABOUT = """\
Matching keys are all attributes of PS3.4 table K.6-1 and any other that an entry has, in any sequence, by their VR: single
value, wildcard, range, list of UID, multiple values, universal, empty value (`""`), one item of a sequence. Names match
without case and accents, group by group; other texts by letter case. A range of Scheduled Procedure Step Start Date and one
of Start Time of the same form are one period. Pertinent Documents Sequence and Protocol Context Sequence are returned, never
matched. Entries that are COMPLETED or DISCONTINUED are told only where a key asks for Scheduled Procedure Step Status. Return
keys are all that an entry has; what it does not have comes back empty. By SOP Class Extended Negotiation: fuzzy matching of
names, where each word of the key begins a word of the name."""

log = logging.getLogger(__name__)


def worklist_find(app: App) -> Sequence[ServiceClass]:
    """Give the SCP."""
    return [
        ServiceClass(
            "Modality Worklist",
            frozenset({MODALITY_WORKLIST}),
            FindScp(app).handle,
            frozenset({CommandField.C_FIND}),
            extended=answer_extended,
            statuses=STATUSES,
            about=matching_keys,
        )
    ]


def answer_extended(_sop_class_uid: str, asked: bytes) -> bytes:
    """Agree to fuzzy semantic matching of names."""
    return bytes(wanted & offered for wanted, offered in zip(asked, _AGREED, strict=False))


def matching_keys() -> str:
    """Give as Markdown what keys there are and how they match."""
    return _ABOUT


class FindScp:
    """Answers C-FIND requests.

    0xFF00: a match; 0x0000: no more; 0xFE00: cancelled; 0xA700: more than `worklist_results`; 0xA900: a key that cannot be;
    0xC000: it cannot be read; 0x0124: the AE may not query.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle(self, association: Association, message: Message) -> None:
        """Answer one request."""
        answer = _Answer(self._app, association, message)
        status, comment = SUCCESS, None
        try:
            await until_cancelled(message, answer.give())
        except Cancelled:
            # The end of the association breaks the search off as well, which nobody has asked for.
            status = CANCELLED if association.is_open else AssociationAborted.dimse_status
        except (AssociationAborted, asyncio.CancelledError):
            answer.audit(AssociationAborted.dimse_status)
            raise
        except CharruaError as error:
            status, comment = error.dimse_status, str(error)[:64]
            _log_refusal(association, error)
        answer.audit(status)
        if association.is_open:
            await association.respond(message, status, error_comment=comment)


def _log_refusal(association: Association, error: CharruaError) -> None:
    """Say who was refused what by the class of the error only: its words may repeat a key's value."""
    told = {"action": "refused", "status": f"{error.dimse_status:04X}", "peer": association.calling_aet}
    log.warning("refused: %s", type(error).__name__, exc_info=error.__cause__, extra=told)


class _Answer:
    """The matches of one request, on their way to the peer."""

    def __init__(self, app: App, association: Association, message: Message) -> None:
        self._app, self._association, self._message = app, association, message
        self._identity = app.identity_of(association)
        self._keys: list[str] = []
        self._sent = 0

    async def give(self) -> None:
        """Send all matches."""
        if not self._identity.may("query"):
            await self._message.drain()
            raise NotPermitted("this AE may not query here")
        context = self._message.context
        identifier = decode_identifier(await self._message.read(IDENTIFIER_LIMIT), context.transfer_syntax)
        asked = self._search(identifier)
        self._keys = sorted(asked.keys)
        async with aclosing(search(self._app, asked, self._identity)) as matches:
            await self._send_all(matches, self._encoder(identifier))

    def _search(self, identifier: DicomJson) -> Search:
        settings, agreed = self._app.settings, self._association.extended.get(MODALITY_WORKLIST, b"")
        return Search(
            keys_of(identifier),
            fuzzy=agreed[2:3] == b"\1",
            station=self._association.calling_aet if settings["worklist_by_station"] else "",
            at_most=settings["worklist_results"],
        )

    def _encoder(self, identifier: DicomJson) -> Callable[[DicomJson], bytes]:
        """Give a function that writes what was asked for of a match, in a character set that the peer can read."""
        charsets = requested_character_set(identifier), self._app.peers.character_set(self._association.calling_aet)
        syntax = self._message.context.transfer_syntax
        return lambda attributes: encode_identifier(asked_for(attributes, identifier, NO_LEVEL), syntax, *charsets)

    async def _send_all(self, matches: AsyncIterator[DicomJson], encode: Callable[[DicomJson], bytes]) -> None:
        batch: list[bytes] = []
        try:
            async for attributes in matches:
                batch.append(encode(attributes))
                if len(batch) == BATCH:
                    await self._send(batch)
        except CharruaError:
            await self._send(batch)  # what was found before the limit or the failure is told
            raise
        await self._send(batch)

    async def _send(self, batch: list[bytes]) -> None:
        if batch:
            await self._association.respond_each(self._message, PENDING, batch)
            self._sent += len(batch)
            batch.clear()

    def audit(self, status: int) -> None:
        """Write the query into the audit trail (PS3.15 A.5.3.10): which keys it had, not their values."""
        association, identity = self._association, self._identity
        user = identity.name if identity.kind == "user" else ""
        calling, called, address = association.calling_aet, association.called_aet, association.address[0]
        origin = Origin("dimse", calling, called, address, association.id, user)
        self._app.audit.later(
            Event.QUERY,
            "E",
            identity.name,
            origin,
            succeeded=status in (SUCCESS, CANCELLED),
            level="WORKLIST",
            keys=self._keys,
            matches=self._sent,
            status=f"{status:04X}",
        )
