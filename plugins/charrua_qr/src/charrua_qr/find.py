"""C-FIND: the query service (PS3.4 C.4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.identifier import decode_identifier, encode_identifier, requested_character_set
from charrua_core.archive.search import Found, Query, read_query, search, unsupported
from charrua_core.audit import Event
from charrua_core.dicom import Association, CommandField, Message, ServiceClass
from charrua_core.dicom.cancelling import Cancelled, until_cancelled
from charrua_core.errors import AssociationAborted, CharruaError, NotPermitted
from charrua_core.types import DicomJson
from charrua_qr.keys import matching_keys
from charrua_qr.measured import MATCHES
from charrua_qr.models import (
    CANCELLED,
    FIND,
    FIND_STATUSES,
    IDENTIFIER_LIMIT,
    PENDING,
    PENDING_WITHOUT_SOME_KEYS,
    SUCCESS,
    Agreed,
    answer_find,
)
from charrua_qr.refusing import comment_of, log_refusal
from charrua_qr.trail import origin_of

if TYPE_CHECKING:
    from charrua_core.app import App

BATCH = 50
"""Matches that leave in one write."""
_ALWAYS = frozenset({"00080054"})
"""Retrieve AE Title is told without being asked for (PS3.4 C.4.1.1.3.2)."""
_LEVEL = "00080052"


def find_service(app: App) -> ServiceClass:
    """Give the query SCP."""
    return ServiceClass(
        "Query",
        FIND,
        FindScp(app).handle,
        frozenset({CommandField.C_FIND}),
        extended=answer_find,
        statuses=FIND_STATUSES,
        about=matching_keys,
    )


class FindScp:
    """Answers C-FIND requests.

    0xFF00: a match; 0xFF01: a match, and some key is not known at this level; 0x0000: no more; 0xFE00: cancelled; 0xA700:
    more than `query_results` match, or the search takes too long; 0xA900: the identifier breaks a rule of its level;
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
            status, comment = error.dimse_status, comment_of(error)
            log_refusal(association, message, error)
        answer.audit(status)
        if association.is_open:
            await association.respond(message, status, error_comment=comment)


class _Answer:
    """The matches of one request, on their way to the peer."""

    def __init__(self, app: App, association: Association, message: Message) -> None:
        self._app, self._association, self._message = app, association, message
        self._query: Query | None = None
        self._sent = 0

    async def give(self) -> None:
        """Send all matches."""
        identity = self._app.identity_of(self._association)
        if not identity.may("query"):
            await self._message.drain()
            raise NotPermitted("this AE may not query here")
        context = self._message.context
        identifier = decode_identifier(await self._message.read(IDENTIFIER_LIMIT), context.transfer_syntax)
        agreed = Agreed.on(self._association, context.abstract_syntax)
        asked = read_query(identifier, FIND[context.abstract_syntax], relational=agreed.relational, fuzzy=agreed.fuzzy)
        self._query = replace(
            asked, return_keys=asked.return_keys | _ALWAYS, at_most=self._app.settings["query_results"]
        )
        async with aclosing(search(self._app, self._query, identity)) as matches:
            await self._send_all(matches, self._encoder(identifier, self._query))

    def _encoder(self, identifier: DicomJson, query: Query) -> Callable[[Found], bytes]:
        """Give a function that writes a match with all keys that were asked for, in a character set that the peer can read."""
        charsets = requested_character_set(identifier), self._app.peers.character_set(self._association.calling_aet)
        transfer_syntax_uid, unknown = self._message.context.transfer_syntax, unsupported(query)
        blank = {tag: {"vr": element["vr"]} for tag, element in identifier.items() if tag not in unknown}
        blank[_LEVEL] = {"vr": "CS", "Value": [str(query.level)]}
        return lambda found: encode_identifier(blank | found.attributes, transfer_syntax_uid, *charsets)

    async def _send_all(self, matches: AsyncIterator[Found], encode: Callable[[Found], bytes]) -> None:
        batch: list[bytes] = []
        try:
            async for found in matches:
                batch.append(encode(found))
                if len(batch) == BATCH:
                    await self._send(batch)
        except CharruaError:
            await self._send(batch)  # what was found before the limit or the failure is told
            raise
        await self._send(batch)

    async def _send(self, batch: list[bytes]) -> None:
        if batch:
            status = PENDING_WITHOUT_SOME_KEYS if self._query and unsupported(self._query) else PENDING
            await self._association.respond_each(self._message, status, batch)
            self._sent += len(batch)
            MATCHES.inc(len(batch))
            batch.clear()

    def audit(self, status: int) -> None:
        """Write the query into the audit trail (PS3.15 A.5.3.10): which keys it had, not their values."""
        association, query = self._association, self._query
        self._app.audit.later(
            Event.QUERY,
            "E",
            self._app.identity_of(association).name,
            origin_of(self._app, association),
            succeeded=status in (SUCCESS, CANCELLED),
            level=str(query.level) if query else "",
            keys=sorted(query.keys) if query else [],
            matches=self._sent,
            status=f"{status:04X}",
        )
