"""C-FIND of the worklist (PS3.4 CC.2.8)."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from charrua_core.archive.datasets.identifier import decode_identifier, encode_identifier, requested_character_set
from charrua_core.archive.search.asked import asked_for
from charrua_core.dicom import Association, Message
from charrua_core.errors import AssociationAborted, CharruaError
from charrua_ups import trail
from charrua_ups.callers import caller_of
from charrua_ups.model import TRANSACTION_UID
from charrua_ups.payloads import checked, clean
from charrua_ups.searching import Search, keys_of, search

if TYPE_CHECKING:
    from charrua_core.app import App

SUCCESS, PENDING, CANCELLED = 0x0000, 0xFF00, 0xFE00
IDENTIFIER_LIMIT = 1 << 20
_FUZZY = b"\0\0\1"
_NEVER_TOLD = frozenset({TRANSACTION_UID})

log = logging.getLogger(__name__)


def answer_extended(_sop_class_uid: str, asked: bytes) -> bytes:
    """Agree to fuzzy semantic matching of names (PS3.4 CC.3.2)."""
    return bytes(wanted & offered for wanted, offered in zip(asked, _FUZZY, strict=False))


async def find(app: App, association: Association, message: Message) -> None:
    """Answer one C-FIND.

    0xFF00: a match; 0x0000: no more; 0xFE00: cancelled; 0xA700: more than `ups_results`; 0xA900: a key that cannot be;
    0x0106: Transaction UID as a key; 0xC000: it cannot be read; 0x0124: the AE may not query.
    """
    answer = _Answer(app, association, message)
    error: CharruaError | None = None
    try:
        status = await answer.give()
    except AssociationAborted as aborted:
        answer.audit(aborted)
        raise
    except CharruaError as raised:
        status, error = raised.dimse_status, raised
        log.warning("refused: %s", type(raised).__name__, extra={"action": "refused", "peer": association.calling_aet})
    answer.audit(error)
    await association.respond(message, status, error_comment=str(error)[:64] if error else None)


class _Answer:
    """The matches of one request, on their way to the peer."""

    def __init__(self, app: App, association: Association, message: Message) -> None:
        self._app, self._association, self._message = app, association, message
        self._keys: set[str] = set()
        self._sent = 0

    async def give(self) -> int:
        """Send all matches; give the final status."""
        context = self._message.context
        given = decode_identifier(await self._message.read(IDENTIFIER_LIMIT), context.transfer_syntax)
        identifier = clean(checked(given))
        fuzzy = self._association.extended.get(context.abstract_syntax, b"")[2:3] == b"\1"
        asked = Search(keys_of(identifier), fuzzy=fuzzy, at_most=self._app.settings["ups_results"])
        self._keys = set(asked.keys)
        charsets = requested_character_set(identifier), self._app.peers.character_set(self._association.calling_aet)
        caller = caller_of(self._app, self._association)
        async with aclosing(search(self._app, asked, caller.identity)) as matches:
            async for attributes in matches:
                if self._message.cancelled:
                    return CANCELLED
                told = asked_for(attributes, identifier, _NEVER_TOLD)
                encoded = encode_identifier(told, context.transfer_syntax, *charsets)
                await self._association.respond(self._message, PENDING, encoded)
                self._sent += 1
        return SUCCESS

    def audit(self, error: CharruaError | None) -> None:
        """Write the search into the audit trail."""
        trail.searched(self._app, caller_of(self._app, self._association), self._keys, self._sent, error)
