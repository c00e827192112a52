"""The frame of a C-FIND SCP (PS3.4 C.4.1): all but what a service is alone in, its keys, its search and its rights.

The identifier is read within limits, answers leave in batches and in a character set that the peer can read, a C-CANCEL or
the end of the association breaks the search off wherever it is, and the audit trail has each request once.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from charrua_core.archive.datasets.identifier import decode_identifier, encode_identifier, requested_character_set
from charrua_core.audit import Event
from charrua_core.dicom.association import Association
from charrua_core.dicom.cancelling import Cancelled, until_cancelled
from charrua_core.dicom.message import Message
from charrua_core.dicom.refusing import comment_of, log_refusal
from charrua_core.errors import AssociationAborted, CharruaError, NotPermitted
from charrua_core.types import DicomJson, Identity

if TYPE_CHECKING:
    from charrua_core.app import App

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NOT_PERMITTED = 0x0124
OUT_OF_RESOURCES = 0xA700
BREAKS_THE_RULES = 0xA900
CANNOT_UNDERSTAND = 0xC000
CANCELLED = 0xFE00
PENDING = 0xFF00
PENDING_WITHOUT_SOME_KEYS = 0xFF01
"""Statuses of PS3.4 table C.4-1."""

IDENTIFIER_LIMIT = 1 << 20
"""Bytes of an identifier: a list of 10,000 UIDs has 650,000."""
BATCH = 50
"""Matches that leave in one write."""
_FUZZY = 2
"""The byte of SOP Class Extended Negotiation about fuzzy matching of names (PS3.4 C.5.1.1, K.5.1, CC.3.2)."""

Match = TypeVar("Match")


def find_statuses(limit: str) -> dict[int, str]:
    """Give what the statuses mean, for `ServiceClass.statuses`; `limit` is the setting of the most matches."""
    return {
        SUCCESS: "no more matches",
        PENDING: "a match",
        CANCELLED: "cancelled",
        PROCESSING_FAILURE: "processing failure",
        NOT_PERMITTED: "the AE may not query",
        OUT_OF_RESOURCES: f"more matches than `{limit}`, or the search takes too long",
        BREAKS_THE_RULES: "the identifier breaks a rule",
        CANNOT_UNDERSTAND: "the identifier cannot be read",
    }


@dataclass(frozen=True, slots=True)
class FindRequest:
    """A C-FIND request, and who asks."""

    association: Association
    sop_class_uid: str
    identity: Identity
    identifier: DicomJson

    @property
    def fuzzy(self) -> bool:
        """Whether fuzzy matching of names was agreed on."""
        return self.association.extended.get(self.sop_class_uid, b"")[_FUZZY : _FUZZY + 1] == b"\1"


@dataclass(frozen=True, slots=True)
class Answers(Generic[Match]):
    """What a service answers a request with. `matches` is iterated once, and closed however the request ends.

    `keys` are the tags of the keys and `level` is what is looked for, both for the audit trail; `tell` gives of a match the
    attributes that the peer is told; `pending` is the status that they go with.
    """

    level: str
    keys: Collection[str]
    matches: AsyncGenerator[Match, None]
    tell: Callable[[Match], DicomJson]
    pending: int = PENDING


@dataclass(slots=True)
class Outcome:
    """What became of a request."""

    level: str
    keys: Collection[str] = ()
    matches: int = 0
    status: int = SUCCESS

    @property
    def succeeded(self) -> bool:
        """Whether the peer had what it wanted; that it wanted no more is no failure."""
        return self.status in (SUCCESS, CANCELLED)


class FindScp(ABC, Generic[Match]):
    """Answers C-FIND requests; a service says by `find` what matches.

    0xFF00, or `Answers.pending`: a match; 0x0000: no more; 0xFE00: cancelled; 0x0124: the AE has not `permission`; what `find`
    and its matches raise: their status, 0xA900 for QueryInvalid and 0xA700 for TooManyResults; 0xC000: the identifier cannot
    be read.
    """

    permission = ""
    """What the AE needs for its identifier to be looked at; "" where `find` decides."""
    level = ""
    """What the audit trail has of a request that `find` has not read."""

    def __init__(self, app: App) -> None:
        self.app = app

    @abstractmethod
    def find(self, request: FindRequest) -> Answers[Match]:
        """Give what matches. Raises the CharruaError by whose status the request is refused."""

    def told(self, matches: int) -> None:
        """Take note of matches that the peer was sent."""

    def note(self, association: Association, outcome: Outcome) -> None:
        """Write the request into the audit trail (PS3.15 A.5.3.10): which keys it had, not their values."""
        self.app.audit.later(
            Event.QUERY,
            "E",
            self.app.identity_of(association).name,
            self.app.origin_of(association),
            succeeded=outcome.succeeded,
            level=outcome.level,
            keys=sorted(outcome.keys),
            matches=outcome.matches,
            status=f"{outcome.status:04X}",
        )

    async def handle(self, association: Association, message: Message) -> None:
        """Answer one request."""
        outcome, comment = Outcome(self.level), None
        try:
            await until_cancelled(message, _Answer(self, association, message, outcome).give())
        except Cancelled:
            # The end of the association breaks the search off as well, which nobody has asked for.
            outcome.status = CANCELLED if association.is_open else AssociationAborted.dimse_status
        except (AssociationAborted, asyncio.CancelledError):
            outcome.status = AssociationAborted.dimse_status
            self.note(association, outcome)
            raise
        except CharruaError as error:
            outcome.status, comment = error.dimse_status, comment_of(error)
            log_refusal(association, message, error)
        self.note(association, outcome)
        if association.is_open:
            await association.respond(message, outcome.status, error_comment=comment)


class _Answer(Generic[Match]):
    """The matches of one request, on their way to the peer."""

    def __init__(self, scp: FindScp[Match], association: Association, message: Message, outcome: Outcome) -> None:
        self._scp, self._association, self._message, self._outcome = scp, association, message, outcome

    async def give(self) -> None:
        """Send all matches."""
        request = await self._request()
        answers = self._scp.find(request)
        self._outcome.level, self._outcome.keys = answers.level, answers.keys
        async with aclosing(answers.matches):
            await self._send_all(answers, self._encoder(request.identifier, answers.tell))

    async def _request(self) -> FindRequest:
        identity, context = self._scp.app.identity_of(self._association), self._message.context
        if self._scp.permission and not identity.may(self._scp.permission):
            await self._message.drain()
            raise NotPermitted("this AE may not query here")
        identifier = decode_identifier(await self._message.read(IDENTIFIER_LIMIT), context.transfer_syntax)
        return FindRequest(self._association, context.abstract_syntax, identity, identifier)

    def _encoder(self, identifier: DicomJson, tell: Callable[[Match], DicomJson]) -> Callable[[Match], bytes]:
        """Give a function that writes a match in a character set that the peer can read."""
        always = self._scp.app.peers.character_set(self._association.calling_aet)
        syntax, requested = self._message.context.transfer_syntax, requested_character_set(identifier)
        return lambda match: encode_identifier(tell(match), syntax, requested, always)

    async def _send_all(self, answers: Answers[Match], encode: Callable[[Match], bytes]) -> None:
        batch: list[bytes] = []
        try:
            async for match in answers.matches:
                batch.append(encode(match))
                if len(batch) == BATCH:
                    await self._send(answers.pending, batch)
        except CharruaError:
            await self._send(answers.pending, batch)  # what was found before the limit or the failure is told
            raise
        await self._send(answers.pending, batch)

    async def _send(self, status: int, batch: list[bytes]) -> None:
        if batch:
            await self._association.respond_each(self._message, status, batch)
            self._outcome.matches += len(batch)
            self._scp.told(len(batch))
            batch.clear()
