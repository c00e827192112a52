"""The other ends of an archive's associations: a modality that stores, a workstation that finds and fetches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, dcmread
from pynetdicom.dsutils import decode, encode

from charrua_core.dicom import (
    Acceptor,
    Association,
    CommandField,
    Dispatcher,
    Limits,
    Message,
    ProposedContext,
    ServiceClass,
    associate,
)
from charrua_core.testing.objects import part10
from charrua_core.testing.outside import dcmtk
from charrua_core.types import Peer

VERIFICATION = "1.2.840.10008.1.1"
UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_ROOT = "1.2.840.10008.5.1.4.1.2"
MODELS = {
    "PATIENT": {"find": f"{_ROOT}.1.1", "move": f"{_ROOT}.1.2", "get": f"{_ROOT}.1.3"},
    "STUDY": {"find": f"{_ROOT}.2.1", "move": f"{_ROOT}.2.2", "get": f"{_ROOT}.2.3"},
}
MOST_CONTEXTS = 128

Sendable = Dataset | Path | bytes


@dataclass(frozen=True, slots=True)
class Received:
    """An object as it came over the network; `data_set` is its bytes without file meta information."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes

    @property
    def attributes(self) -> Dataset:
        """The data set, read."""
        syntax = self.transfer_syntax_uid
        return decode(BytesIO(self.data_set), syntax == UNCOMPRESSED[1], True, syntax.endswith(".1.99"))


def _all_of(group: Sendable | Sequence[Sendable]) -> Sequence[Sendable]:
    return [group] if isinstance(group, Dataset | Path | bytes) else group


def received_of(given: Sendable) -> Received:
    """Take a file, its content or a Dataset apart into what is sent."""
    content = part10(given) if isinstance(given, Dataset) else given.read_bytes() if isinstance(given, Path) else given
    with BytesIO(content) as file:
        file.seek(132)
        meta = _read_file_meta_info(file)
        data_set = file.read()
    return Received(
        str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID), str(meta.TransferSyntaxUID), data_set
    )


@dataclass
class Modality:
    """Sends objects as they are, by our own requestor or by DCMTK."""

    archive: Peer
    aet: str = "MODALITY"

    async def echo(self) -> int:
        """C-ECHO; gives the status."""
        async with self._associate([ProposedContext(VERIFICATION, UNCOMPRESSED)]) as association:
            return (await association.echo()).status or 0

    async def store(self, *objects: Sendable | Sequence[Sendable]) -> list[int]:
        """C-STORE on one association; gives the status of each, in order."""
        taken = [received_of(one) for group in objects for one in _all_of(group)]
        kinds = dict.fromkeys((one.sop_class_uid, one.transfer_syntax_uid) for one in taken)
        if len(kinds) > MOST_CONTEXTS:
            raise ValueError(f"an association has room for {MOST_CONTEXTS} kinds of objects, not {len(kinds)}")
        statuses = []
        async with self._associate(
            [ProposedContext(sop_class, (syntax,)) for sop_class, syntax in kinds]
        ) as association:
            for one in taken:
                context = (one.sop_class_uid, one.transfer_syntax_uid)
                answer = await association.store(context, one.sop_class_uid, one.sop_instance_uid, [one.data_set])
                statuses.append(answer.status or 0)
        return statuses

    async def give(self, *objects: Sendable | Sequence[Sendable]) -> None:
        """Store them as `store` does; AssertionError unless each was taken: what follows in a story would only seem wrong."""
        statuses = await self.store(*objects)
        if any(statuses):
            raise AssertionError(f"not all was stored: {' '.join(f'{status:04X}' for status in statuses)}")

    async def storescu(self, *paths: Path, options: Iterable[str] = ()) -> tuple[int, str]:
        """Send files by DCMTK's storescu; gives its exit status and what it said. FileNotFoundError without DCMTK."""
        called = ["-aet", self.aet, "-aec", self.archive.aet, self.archive.host, str(self.archive.port)]
        return await dcmtk("storescu", *options, *called, *map(str, paths))

    def _associate(self, contexts: Sequence[ProposedContext]) -> Any:
        return associate(self.archive, contexts, calling_aet=self.aet)


@dataclass
class Workstation:
    """Finds and fetches; listens for what it has the archive move to it, and keeps all in `received`."""

    archive: Peer
    aet: str = "WORKSTATION"
    received: list[Received] = field(default_factory=list)
    takes: Sequence[str] = ()
    """Transfer syntaxes that it accepts and asks for; empty: all of those offered when moved to, uncompressed for C-GET."""
    port: int = 0
    _acceptor: Acceptor | None = None

    async def start(self) -> None:
        """Listen at a free port of 127.0.0.1."""
        everything = ServiceClass(
            "storage",
            lambda _uid: True,
            self._take,
            frozenset({CommandField.C_STORE, CommandField.C_ECHO}),
            self._choose,
        )
        self._acceptor = Acceptor(Limits(), Dispatcher([everything]))
        await self._acceptor.start("127.0.0.1", self.port)
        self.port = self._acceptor.port

    async def stop(self) -> None:
        """Listen no more."""
        if self._acceptor is not None:
            await self._acceptor.stop(grace_s=0.5)

    @property
    def peer(self) -> Peer:
        """This workstation, as the archive knows it."""
        return Peer(self.aet, "127.0.0.1", self.port)

    async def find(self, level: str, *, root: str = "STUDY", **keys: Any) -> list[Dataset]:
        """C-FIND at a level with keys by keyword ("" asks for a value); gives the matches. LookupError on a failure."""
        model = MODELS[root]["find"]
        found = []
        async with (
            associate(self.archive, [ProposedContext(model, UNCOMPRESSED)], calling_aet=self.aet) as association,
            aclosing(association.find(model, _identifier(level, keys))) as responses,
        ):
            async for status, data in responses:
                if status in (0xFF00, 0xFF01):
                    found.append(decode(BytesIO(data), False, True))
                elif status:
                    raise LookupError(f"C-FIND ended with status {status:04X}H")
        return found

    async def move(self, level: str, *, root: str = "STUDY", destination: str | None = None, **keys: Any) -> Outcome:
        """C-MOVE to this workstation, or to another destination."""
        model = MODELS[root]["move"]
        async with associate(self.archive, [ProposedContext(model, UNCOMPRESSED)], calling_aet=self.aet) as association:
            asked = association.move(model, destination or self.aet, _identifier(level, keys))
            return await _outcome(asked)

    async def get(
        self, level: str, *, root: str = "STUDY", storage: Sequence[str] = ("1.2.840.10008.5.1.4.1.1.2",), **keys: Any
    ) -> Outcome:
        """C-GET of objects of the storage SOP classes named."""
        model = MODELS[root]["get"]
        syntaxes = tuple(self.takes) or UNCOMPRESSED
        contexts = [ProposedContext(model, UNCOMPRESSED)]
        contexts += [ProposedContext(uid, (syntax,), scp_role=True) for uid in storage for syntax in syntaxes]
        async with associate(self.archive, contexts, calling_aet=self.aet) as association:
            return await _outcome(association.get(model, _identifier(level, keys), self._keep))

    async def _take(self, association: Association, message: Message) -> None:
        await association.respond(message, await self._keep(association, message))

    async def _keep(self, _association: Association, message: Message) -> int:
        if message.command.command_field == CommandField.C_ECHO:
            return 0
        data_set = await message.read(1 << 32)
        command = message.command
        uid, sop_class = command.affected_sop_instance_uid or "", command.affected_sop_class_uid or ""
        self.received.append(Received(sop_class, uid, message.context.transfer_syntax, data_set))
        return 0

    def _choose(self, _abstract: str, offered: Sequence[str], _association: Association | None) -> str | None:
        return next((uid for uid in offered if uid in self.takes or not self.takes), None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a C-MOVE or C-GET ended: its final status and the counts of its sub-operations."""

    status: int
    completed: int
    failed: int
    warning: int
    failed_uids: tuple[str, ...] = ()


async def _outcome(responses: Any) -> Outcome:
    async with aclosing(responses):
        async for command, data in responses:
            last = (command, data)
    command, data = last
    failed = decode(BytesIO(data), False, True).get("FailedSOPInstanceUIDList", []) if data else []
    uids = [failed] if isinstance(failed, str) else failed or []
    return Outcome(
        command.status or 0,
        command.number_of_completed_suboperations or 0,
        command.number_of_failed_suboperations or 0,
        command.number_of_warning_suboperations or 0,
        tuple(map(str, uids)),
    )


def _identifier(level: str, keys: dict[str, Any]) -> bytes:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    encoded = encode(identifier, False, True)
    if encoded is None:
        raise ValueError("pydicom cannot encode these keys")
    return encoded


def read_file(path: Path) -> Dataset:
    """Read a test file whatever it lacks."""
    return dcmread(path, force=True)
