"""STOW-RS (PS3.18 10.5): many objects in one request, read while it is sent; the answer tells of each what became of it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from charrua_core import errors
from charrua_core.archive.outgoing import part10_of
from charrua_core.archive.search import InstanceRecord
from charrua_core.errors import PeerUnreachable
from charrua_core.sending import ON_THE_WAY, DestinationKind, Outcome, SendFailed, Sending
from charrua_core.types import Destination
from charrua_routing.kinds import http
from charrua_routing.kinds.each import DAMAGED
from charrua_routing.marking import N_

if TYPE_CHECKING:
    from charrua_core.app import App

OBJECTS_TOGETHER = 25
BYTES_TOGETHER = 256 << 20
_REFERENCED, _FAILED = "00081199", "00081198"
_UID, _REASON = "00081155", "00081197"


async def send(sending: Sending) -> AsyncGenerator[Outcome, None]:
    """Post the objects in requests of so many that none of them is long repeated."""
    options = sending.app.destinations.parsed(sending.destination)
    url = options["url"].rstrip("/") + "/studies"
    async with http.client(options, sending.destination.timeout_s) as client:
        for records in _together(sending.records):
            for outcome in await _post(sending, client, url, records):
                yield outcome


def _together(records: Sequence[InstanceRecord]) -> Iterable[list[InstanceRecord]]:
    group: list[InstanceRecord] = []
    for record in records:
        full = len(group) == OBJECTS_TOGETHER or sum(one.size_bytes for one in (*group, record)) > BYTES_TOGETHER
        if group and full:
            yield group
            group = []
        group.append(record)
    if group:
        yield group


async def _post(
    sending: Sending, client: httpx.AsyncClient, url: str, records: Sequence[InstanceRecord]
) -> list[Outcome]:
    request = _Request(sending, records)
    headers = {"Content-Type": request.content_type, "Accept": "application/dicom+json"}
    answer = await http.call(client, "POST", url, content=request.body(), headers=headers)
    return [*request.outcomes, *(_outcome(record, uid, answer) for uid, record in request.sent.items())]


class _Request:
    """One request, and what of it went out: the UID that each object left with."""

    def __init__(self, sending: Sending, records: Sequence[InstanceRecord]) -> None:
        self._sending = sending
        self._records = records
        self._boundary = secrets.token_hex(16)
        self.sent: dict[str, InstanceRecord] = {}
        self.outcomes: list[Outcome] = []

    @property
    def content_type(self) -> str:
        return f'multipart/related; type="application/dicom"; boundary={self._boundary}'

    async def body(self) -> AsyncGenerator[bytes, None]:
        """The parts, each object opened when its turn comes; one that cannot be is left out, and noted."""
        for record in self._records:
            try:
                async with self._sending.leaving(record) as outgoing:
                    yield f"--{self._boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
                    async with aclosing(part10_of(outgoing)) as pieces:
                        async for piece in pieces:
                            yield piece
                    yield b"\r\n"
                    self.sent[outgoing.sop_instance_uid] = record
            except errors.StudyNotFound:
                self.outcomes.append(Outcome(record, "passed over", "it was removed meanwhile"))
            except DAMAGED as error:
                self.outcomes.append(Outcome(record, "refused", str(error)))
        yield f"--{self._boundary}--\r\n".encode()


def _outcome(record: InstanceRecord, uid: str, answer: httpx.Response) -> Outcome:
    """What the answer says of one object (PS3.18 table 10.5.3-1, I.2.2)."""
    if answer.status_code not in {200, 202, 409}:
        state, why = http.verdict(answer)
        return (
            Outcome(record, "failed", f"HTTP {answer.status_code}") if state == "done" else Outcome(record, state, why)
        )
    told = _answer(answer)
    if uid in _uids(told, _REFERENCED):
        return Outcome(record)
    reason = _uids(told, _FAILED).get(uid)
    if reason is None:
        return Outcome(record, "failed", f"HTTP {answer.status_code} without a word of it")
    return Outcome(record, "refused" if is_for_good(reason) else "failed", f"failure reason {reason:04X}H")


def is_for_good(reason: int) -> bool:
    """Whether a Failure Reason says that the object will never be taken: 0122H, and A9xxH (PS3.18 I.2.2)."""
    return reason == 0x0122 or reason >> 8 == 0xA9


def _answer(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    first = next(iter(told), {}) if isinstance(told, list) else told
    return first if isinstance(first, dict) else {}


def _uids(told: Mapping[str, Any], sequence: str) -> dict[str, int]:
    """The objects of a sequence of the answer, each with its Failure Reason or 0; nothing of what is no such sequence."""
    found: dict[str, int] = {}
    items = told.get(sequence)
    for item in items.get("Value", ()) if isinstance(items, dict) else ():
        uid, reason = _first(item, _UID), _first(item, _REASON)
        if isinstance(uid, str):
            found[uid] = reason if isinstance(reason, int) else 0
    return found


def _first(item: Any, tag: str) -> Any:
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return next(iter(values), None) if isinstance(values, list) else None


async def probe(app: App, destination: Destination) -> str:
    """Search for one study (QIDO-RS), which a server of STOW-RS answers as well. PeerUnreachable says why it does not."""
    options = app.destinations.parsed(destination)
    url = options["url"].rstrip("/") + "/studies"
    async with http.client(options, destination.timeout_s) as client:
        answer = await http.call(
            client, "GET", url, params={"limit": "1"}, headers={"Accept": "application/dicom+json"}
        )
    if answer.status_code in {401, 403}:
        raise PeerUnreachable(f"{url} does not let us in: HTTP {answer.status_code}")
    if answer.status_code not in {200, 204, 405}:
        raise SendFailed(f"{url} answers with HTTP {answer.status_code}")
    return f"{url} answers with HTTP {answer.status_code}"


KIND = DestinationKind(
    "stow",
    N_("A DICOMweb server, by STOW-RS."),
    send,
    probe,
    http.OPTIONS,
    required=frozenset({"url"}),
    check=http.check_url,
    heeds=ON_THE_WAY,
)
