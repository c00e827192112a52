"""The frame of a C-FIND SCP, with a service that finds numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from charrua_core.archive.datasets.identifier import decode_identifier, encode_identifier
from charrua_core.dicom import ProposedContext, agreeing, associate
from charrua_core.dicom.finding import BATCH, Answers, FindRequest, FindScp, find_statuses
from charrua_core.errors import QueryInvalid, TooManyResults
from charrua_core.testing.waiting import until
from charrua_core.types import Identity

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT = "1.2.840.10008.1.2.1"
CONTEXTS = [ProposedContext(FIND, (EXPLICIT,))]
PATIENT_ID, COMMENTS = "00100020", "00104000"
ASKED = {PATIENT_ID: {"vr": "LO", "Value": ["*"]}, COMMENTS: {"vr": "LT"}}
FOR_EVER = -1


class Numbers(FindScp[int]):
    """Finds so many numbers, then fails where it is to."""

    level = "NUMBER"
    permission = "query"

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.matches = 0
        self.failure: Exception | None = None
        self.asked: list[FindRequest] = []
        self.sent = 0
        self.closed = False

    def find(self, request: FindRequest) -> Answers[int]:
        self.asked.append(request)
        if COMMENTS not in request.identifier:
            raise QueryInvalid
        return Answers("DIGIT", request.identifier.keys() & ASKED.keys(), self._found(), self._tell)

    async def _found(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.matches):
                yield number
            if self.matches == FOR_EVER:
                await asyncio.Event().wait()
            if self.failure:
                raise self.failure
        finally:
            self.closed = True

    def _tell(self, match: int) -> dict[str, Any]:
        return {PATIENT_ID: {"vr": "LO", "Value": [f"ñ{match}"]}, COMMENTS: {"vr": "LT"}}

    def told(self, matches: int) -> None:
        self.sent += matches


@pytest.fixture
def app() -> SimpleNamespace:
    """What of an App the frame needs; `noted` is the audit trail."""
    app = SimpleNamespace(noted=[], may=frozenset({"query"}), character_set="")
    app.identity_of = lambda association: Identity(association.calling_aet, "peer", permissions=app.may)
    app.origin_of = lambda association: association.id
    app.audit = SimpleNamespace(later=lambda *given, **detail: app.noted.append((given, detail)))
    app.peers = SimpleNamespace(character_set=lambda _: app.character_set)
    return app


@pytest.fixture
def numbers(scp: Any, app: SimpleNamespace) -> Numbers:
    numbers = Numbers(app)
    scp.on_find = numbers.handle
    return numbers


async def ask(scp: Any, identifier: bytes | None = None) -> list[tuple[int, bytes]]:
    asked = encode_identifier(ASKED, EXPLICIT, "ISO_IR 192") if identifier is None else identifier
    async with associate(scp.peer, CONTEXTS, calling_aet="CT1") as association:
        return [response async for response in association.find(FIND, asked)]


async def test_all_matches_are_told_and_the_trail_has_keys_and_no_values(scp, app, numbers) -> None:
    numbers.matches = BATCH + 1
    *told, last = await ask(scp)
    ids = [decode_identifier(data, EXPLICIT)[PATIENT_ID]["Value"][0] for _, data in told]
    assert ids == [f"ñ{number}" for number in range(BATCH + 1)]
    assert ({status for status, _ in told}, last) == ({0xFF00}, (0x0000, b""))
    assert numbers.sent == BATCH + 1
    [((event, action, who, origin), detail)] = app.noted
    assert (event.value, action, who, bool(origin)) == ("110112", "E", "CT1", True)
    keys = [PATIENT_ID, COMMENTS]
    assert detail == {"succeeded": True, "level": "DIGIT", "keys": keys, "matches": BATCH + 1, "status": "0000"}


async def test_what_was_found_before_a_failure_is_told_and_then_why_it_ends(scp, app, numbers) -> None:
    numbers.matches, numbers.failure = 3, TooManyResults("more than 3")
    assert [status for status, _ in await ask(scp)] == [0xFF00, 0xFF00, 0xFF00, 0xA700]
    [(_, detail)] = app.noted
    assert (detail["succeeded"], detail["matches"], detail["status"]) == (False, 3, "A700")


@pytest.mark.parametrize(
    ("identifier", "status"),
    [(b"\x10\0\x20\0LO\xff\xff", 0xC000), (encode_identifier({}, EXPLICIT, "ISO_IR 192"), 0xA900)],
    ids=["no data set", "what the service refuses"],
)
async def test_an_identifier_that_will_not_do_is_refused(scp, app, numbers, identifier: bytes, status: int) -> None:
    assert await ask(scp, identifier) == [(status, b"")]
    [(_, detail)] = app.noted
    assert detail == {"succeeded": False, "level": "NUMBER", "keys": [], "matches": 0, "status": f"{status:04X}"}


async def test_the_identifier_of_who_may_not_ask_is_not_looked_at(scp, app, numbers) -> None:
    app.may = frozenset({"echo"})
    assert await ask(scp, b"no data set") == [(0x0124, b"")]
    assert numbers.asked == []


async def test_a_search_that_is_still_looking_is_cancelled_and_closed(scp, app, numbers) -> None:
    numbers.matches = FOR_EVER
    async with associate(scp.peer, CONTEXTS) as association:
        responses = association.find(FIND, encode_identifier(ASKED, EXPLICIT, "ISO_IR 192"))
        last = asyncio.ensure_future(anext(responses))
        await asyncio.wait((last,), timeout=0.1)
        await association.cancel()
        assert (await last)[0] == 0xFE00
    assert numbers.closed
    assert [(detail["succeeded"], detail["status"]) for _, detail in app.noted] == [(True, "FE00")]


async def test_a_search_ends_with_its_association(scp, app, numbers) -> None:
    numbers.matches = FOR_EVER
    async with associate(scp.peer, CONTEXTS) as association:
        last = asyncio.ensure_future(anext(association.find(FIND, encode_identifier(ASKED, EXPLICIT, "ISO_IR 192"))))
        await asyncio.wait((last,), timeout=0.1)
        await association.abort()
    await asyncio.wait((last,))
    await until(lambda: bool(app.noted))
    assert numbers.closed
    assert [(detail["succeeded"], detail["status"]) for _, detail in app.noted] == [(False, "0110")]
    last.exception()


async def test_a_peer_that_reads_one_character_set_alone_is_answered_in_that(scp, app, numbers) -> None:
    numbers.matches, app.character_set = 1, "ISO_IR 100"
    (_, data), _ = await ask(scp)
    assert b"\xf10" in data


def test_of_what_is_asked_what_is_offered_is_agreed_on() -> None:
    assert agreeing(b"\1\0\1")("1.2", b"\1\1\0\1") == b"\1\0\0"


def test_the_statuses_name_the_setting_of_the_most_matches() -> None:
    assert "`most_numbers`" in find_statuses("most_numbers")[0xA700]
