"""What senders were told, object by object, and what an archive really holds after its restart.

Each sender writes a line before it sends an object and one after the answer, into a file that outlives every crash.
An acknowledged object must be there, whole; one whose answer never came may be there or not, but never in part.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from multiprocessing.synchronize import Event
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from benchmarks import objects, stow, wire
from benchmarks.association import Association, AssociationLost
from benchmarks.contestants import Contestant
from benchmarks.identifiers import FIND, IMPLICIT_LITTLE, identifier
from benchmarks.processes import wait_until
from benchmarks.templates import CT_CLASS, EXPLICIT_LITTLE, SR_CLASS

SENDERS = 4
_FORK = multiprocessing.get_context("fork")
_PER_SENDER = 100_000


@dataclass
class Ledger:
    """Everything sent in one run: SOP Instance UID → digest of its data set, and the UIDs answered with success."""

    digests: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """From the file that the senders wrote."""
        ledger = cls()
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if entry["outcome"] == "sent":
                ledger.digests[entry["uid"]] = entry["sha256"]
            else:
                (ledger.acknowledged if entry["outcome"] == "ok" else ledger.refused).add(entry["uid"])
        return ledger


@dataclass(frozen=True)
class Findings:
    """Counts over any number of checks; all but the first three must be nought."""

    acknowledged: int = 0
    in_doubt: int = 0
    in_doubt_present: int = 0
    refused: int = 0
    lost: int = 0
    damaged: int = 0
    rows_without_file: int = 0
    refused_but_present: int = 0
    orphan_files: int = 0
    half_files: int = 0

    def __add__(self, other: Findings) -> Findings:
        return Findings(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def promise_kept(self) -> bool:
        """No acknowledged object is lost or damaged, nothing is half there, no row lacks its file."""
        return not (self.lost or self.damaged or self.rows_without_file or self.refused_but_present)

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, one.name)} {one.name.replace('_', ' ')}" for one in fields(self))


@contextlib.contextmanager
def senders(contestant: Contestant, run: int, path: Path, token: str | None = None) -> Iterator[None]:
    """Four senders that store until the server is gone; on leaving they have ended.

    They speak DICOM, or with a `token` (`Contestant.authorization`) STOW-RS.
    """
    stop = _FORK.Event()
    count = SENDERS if contestant.concurrent else 1
    if token is None:
        send, where = _send, (contestant.address, contestant.aet)
    else:
        send, where = _send_web, (contestant, token)  # type: ignore[assignment]
    arguments = [(*where, run, number, path, stop) for number in range(count)]
    processes = [_FORK.Process(target=send, args=one, daemon=True) for one in arguments]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        stop.set()
        for process in processes:
            process.join(timeout=30)
            if process.is_alive():
                process.kill()
                process.join()


def wait_for_answers(path: Path, timeout_s: float = 20.0) -> None:
    """Return once a first object has been answered: from then on the archive is in the middle of stores."""
    for _ in wait_until(timeout_s):
        if path.exists() and '"outcome": "ok"' in path.read_text():
            return
    raise TimeoutError("no object was answered")


def _send(address: tuple[str, int], called: str, run: int, number: int, path: Path, stop: Event) -> None:
    """Store until told to stop; an association that the archive refuses is asked for again."""
    contexts = [wire.Context(uid, (EXPLICIT_LITTLE,)) for uid in (SR_CLASS, CT_CLASS)]
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    left = iter(range(number * _PER_SENDER, (number + 1) * _PER_SENDER))
    while not stop.is_set():
        with contextlib.suppress(AssociationLost, OSError), Association(address, called, contexts, timeout_s=10) as to:
            for _ in _store(to, (objects.Numbered(run, number, number, index) for index in left), ledger):
                if stop.is_set():
                    break
        time.sleep(0.01)


def _store(association: Association, which: Iterator[objects.Numbered], ledger: int) -> Iterator[objects.Numbered]:
    """Seven reports, one CT, and so on, each noted before and after; yields what was answered."""
    kinds = {kind: (kind.data(), _request(association, kind)) for kind in (objects.sr(), objects.ct())}
    for one in which:
        dataset, request = kinds[objects.ct() if one.instance % 8 == 7 else objects.sr()]
        _write(ledger, one, "sent", hashlib.sha256(dataset.of(one)).hexdigest())
        status = association.exchange(request.of(one))
        _write(ledger, one, "ok" if status == 0 else f"{status:04x}")
        yield one


def _send_web(contestant: Contestant, token: str, run: int, number: int, path: Path, stop: Event) -> None:
    """Store eight objects a request until told to stop."""
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    left = iter(range(number * _PER_SENDER, (number + 1) * _PER_SENDER))
    while not stop.is_set():
        which = [objects.Numbered(run, number, number, index) for index in itertools.islice(left, 8)]
        with contextlib.suppress(OSError, http.client.HTTPException):
            _store_web(contestant, token, which, ledger)
        time.sleep(0.01)


def _store_web(contestant: Contestant, token: str, which: Sequence[objects.Numbered], ledger: int) -> None:
    kinds = [objects.ct() if one.instance % 8 == 7 else objects.sr() for one in which]
    for one, kind in zip(which, kinds, strict=True):
        _write(ledger, one, "sent", hashlib.sha256(kind.data().of(one)).hexdigest())
    answer = stow.answer(
        contestant, token, [bytes(kind.file().of(one)) for one, kind in zip(which, kinds, strict=True)]
    )
    told = dict.fromkeys(stow.stored(answer), "ok") | stow.failed(answer)
    for one in which:
        if one.uid(3) in told:
            _write(ledger, one, told[one.uid(3)])


def _request(association: Association, kind: objects.Template) -> objects.Patchable:
    return kind.store_request(association.context(kind.sop_class), association.max_pdu)


def _write(ledger: int, one: objects.Numbered, outcome: str, digest: str = "") -> None:
    os.write(ledger, json.dumps({"uid": one.uid(3), "outcome": outcome, "sha256": digest}).encode() + b"\n")


def check(contestant: Contestant, run: int, ledger: Ledger, files: Mapping[str, str]) -> Findings:
    """Compare what a run's senders were told with the index and the files of the restarted archive.

    `files` is what `Files.new` found. Bytes are compared only where the archive keeps them as they came.
    """
    listed = listed_instances(contestant, run)
    doubtful = set(ledger.digests) - ledger.acknowledged - ledger.refused
    whole = {uid for uid, digest in files.items() if digest == ledger.digests.get(uid) or not contestant.exact}
    return Findings(
        acknowledged=len(ledger.acknowledged),
        in_doubt=len(doubtful),
        in_doubt_present=len(doubtful & listed),
        refused=len(ledger.refused),
        lost=len(ledger.acknowledged - listed),
        damaged=len((listed & set(files)) - whole),
        rows_without_file=len(listed - set(files)),
        refused_but_present=len(ledger.refused & listed),
        orphan_files=len(whole - listed),
        half_files=len(set(files) - listed - whole),
    )


def listed_instances(contestant: Contestant, run: int) -> set[str]:
    """The SOP Instance UIDs of a run that C-FIND lists."""
    found = set()
    with Association(contestant.address, contestant.aet, [wire.Context(FIND, (IMPLICIT_LITTLE,))]) as association:
        for number in range(SENDERS):
            one = objects.Numbered(run, number, number, 0)
            keys = {"StudyInstanceUID": one.uid(1), "SeriesInstanceUID": one.uid(2), "SOPInstanceUID": ""}
            answers = association.query(FIND, {wire.COMMAND: 0x0020}, identifier("IMAGE", keys))
            found |= {_instance_uid(answer.data) for answer in answers if answer.data}
    return found


def _instance_uid(data: bytes) -> str:
    at = data.index(b"\x08\x00\x18\x00")
    return data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")].decode().rstrip("\0 ")


@dataclass
class Files:
    """The DICOM files below a folder, each read once."""

    folder: Path
    _seen: set[Path] = field(default_factory=set)

    def new(self) -> dict[str, str]:
        """Digest of the data set by SOP Instance UID for the files that came since the last call.

        A file too damaged to say its UID appears under its path.
        """
        found = {}
        for path in self.folder.rglob("*"):
            if path not in self._seen and path.is_file():
                self._seen.add(path)
                if _is_part10(path):
                    uid, digest = _read(path)
                    found[uid] = digest
        return found


def _is_part10(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
    return False


def _read(path: Path) -> tuple[str, str]:
    try:
        meta = read_file_meta_info(path)
        start = 144 + int(meta.FileMetaInformationGroupLength)
        return str(meta.MediaStorageSOPInstanceUID), hashlib.sha256(path.read_bytes()[start:]).hexdigest()
    except Exception:  # whatever a torn file does to the parser, it is not a whole file
        return str(path), ""
