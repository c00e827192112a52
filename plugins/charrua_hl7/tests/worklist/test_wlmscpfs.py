"""Side by side with DCMTK's worklist server: the same queries of the same worklist files find the same entries."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydicom.dataset import Dataset

from charrua_core.testing.outside import DATA, program, until_listening, with_data, with_dcmtk
from charrua_core.testing.scheduled import ask_all, scheduled
from charrua_core.types import Peer

FILES = sorted((DATA / "worklist").glob("*.wl"))
ALL = set(range(1, 11))


def asked(**keys: Any) -> dict[str, Any]:
    return keys


def code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue = value
    return [item]


def starts(date: str | None = None, time: str | None = None) -> dict[str, Any]:
    keys = {"ScheduledProcedureStepStartDate": date, "ScheduledProcedureStepStartTime": time}
    return {keyword: value for keyword, value in keys.items() if value is not None}


ALIKE: list[tuple[dict[str, Any], set[int]]] = [
    # Universal
    (asked(), ALL),
    (asked(PatientName=""), ALL),
    (asked(PatientName="*"), ALL),
    (asked(PatientName="?*"), ALL),
    (asked(Modality="*"), ALL),
    (asked(ScheduledStationAETitle="*"), ALL),
    (asked(ScheduledProcedureStepSequence=[]), ALL),
    (asked(ScheduledProcedureStepSequence=[Dataset()]), ALL),
    (asked(ScheduledProcedureStepStatus=""), ALL),
    # Patient's Name
    (asked(PatientName="VIVALDI^ANTONIO"), {1, 2, 3}),
    (asked(PatientName="VIVALDI^ANTONIO="), {1, 2, 3}),
    (asked(PatientName="VIV*"), {1, 2, 3}),
    (asked(PatientName="*ZAR*"), {9, 10}),
    (asked(PatientName="HAYDN^FRANZ^JOSEP?"), {4, 5, 6}),
    (asked(PatientName="HAYDN*JOSEPH"), {4, 5, 6}),
    (asked(PatientName="HAYDN"), set()),
    # Patient ID and numbers of the order
    (asked(PatientID="AV35674"), {1, 2, 3}),
    (asked(PatientID="AV3567"), set()),
    (asked(PatientID="av35674"), set()),
    (asked(AccessionNumber="00000"), {1}),
    (asked(AccessionNumber="0000*"), ALL),
    (asked(AccessionNumber="0000?1"), set()),
    (asked(RequestedProcedureID="RP4474"), {10}),
    (asked(RequestedProcedurePriority="LOW"), {1, 4, 5, 6, 8, 10}),
    (asked(RequestingPhysician="SMITH"), {1}),
    (asked(ReferringPhysicianName="X"), set()),
    (asked(PatientBirthDate="16780304"), {1, 2, 3}),
    (asked(PatientSex="M"), ALL),
    # The step
    (asked(Modality="CT"), {2, 6, 8, 9}),
    (asked(Modality="CT", PatientName="VIV*"), {2}),
    (asked(ScheduledStationAETitle="AA32"), {1, 4}),
    (asked(ScheduledStationAETitle="NN77"), {3, 8}),
    (asked(ScheduledStationAETitle="AA99"), set()),
    (asked(ScheduledPerformingPhysicianName="JOHNSON"), {1, 7, 9}),
    (asked(ScheduledPerformingPhysicianName="J*"), {1, 7, 9}),
    # Its start
    (starts("19951015"), {1}),
    (starts("19951015-19960123"), {1, 3, 4, 5}),
    (starts("19960406-"), {2, 7, 8, 10}),
    (starts("-19951015"), {1, 6, 9}),
    (starts(time="085607"), {1}),
    (starts(time="080000-120000"), {1, 5, 8}),
    (starts(time="120000-"), {2, 3, 4, 6, 7, 10}),
    (starts("19951015", "080000-090000"), {1}),
    (starts("19951015-19960103", "100000-120000"), {5}),
    (starts("19951015-", "100000-"), {2, 3, 4, 5, 7, 8, 10}),
    (starts("-19951015", "-085607"), {1, 6, 9}),
]


class Difference(NamedTuple):
    """A query that the two servers answer otherwise: what this archive finds, what wlmscpfs finds, and why."""

    keys: dict[str, Any]
    here: set[int] | int
    there: set[int] | int
    why: str


_NAMES = (
    "PS3.5 6.2: case and accents of names count where that is agreed only; components that are empty may be left out"
)
_OPTIONAL = "PS3.4 K.2.2.1.1.2: an optional key; wlmscpfs does not match it and takes it as a return key"
_WILDCARDS = (
    "PS3.4 C.2.2.2.4: LO, SH, AE and CS have wild cards; table K.6-1 asks for single values only, and so does wlmscpfs"
)
_PARTIAL = "PS3.5 6.2: a time without seconds is all of its minute"
_INVALID = "PS3.4 C.2.2.2.1: no value of a CS; wlmscpfs refuses it, where it finds nothing here"

OTHERWISE = [
    Difference(asked(PatientName="vivaldi^antonio"), {1, 2, 3}, set(), _NAMES),
    Difference(asked(PatientName="viv*"), {1, 2, 3}, set(), _NAMES),
    Difference(asked(PatientName="VIVALDI^ANTONIO^^"), {1, 2, 3}, set(), _NAMES),
    Difference(asked(PatientID="AV*"), {1, 2, 3}, set(), _WILDCARDS),
    Difference(asked(Modality="C*"), {2, 3, 5, 6, 8, 9}, set(), _WILDCARDS),
    Difference(asked(ScheduledStationAETitle="AA3*"), {1, 4}, set(), _WILDCARDS),
    Difference(asked(Modality="ct"), set(), 0xA900, _INVALID),
    Difference(
        asked(Modality=["CT", "MR"]), {1, 2, 6, 8, 9, 10}, 0xA900, "PS3.4 C.2.2.2.1: one of several values is enough"
    ),
    Difference(asked(StudyInstanceUID="1.2.276.0.7230010.3.2.110"), {10}, ALL, _OPTIONAL),
    Difference(asked(RequestedProcedureDescription="EXAM6"), {1}, ALL, _OPTIONAL),
    Difference(asked(ScheduledProcedureStepDescription="EXAM74"), {1}, ALL, _OPTIONAL),
    Difference(asked(ScheduledProcedureStepID="SPD3445"), {1}, ALL, _OPTIONAL),
    Difference(asked(ScheduledStationName="STN456"), {1}, ALL, _OPTIONAL),
    Difference(asked(MedicalAlerts="METASTASIS"), {1, 7, 8}, ALL, _OPTIONAL),
    Difference(asked(RequestedProcedureCodeSequence=code("X")), set(), ALL, _OPTIONAL),
    Difference(asked(InstitutionName="NOWHERE"), set(), ALL, _OPTIONAL),
    Difference(asked(ScheduledProcedureStepStatus="COMPLETED"), set(), ALL, _OPTIONAL),
    Difference(starts(time="0856"), {1}, set(), _PARTIAL),
    Difference(starts(time="-0856"), {1, 9}, {9}, _PARTIAL),
    Difference(starts("1995"), {1, 5}, 0xA900, "PS3.5 6.2: no DA; a year stands for its days here, as in DT"),
    Difference(
        starts("19951015-19960103", "100000-"),
        {4},
        {5},
        "PS3.4 C.2.2.2.5: ranges of two forms are matched one by one; wlmscpfs ends the last day at midnight",
    ),
]


@asynccontextmanager
async def wlmscpfs(folder: Path) -> AsyncIterator[Peer]:
    """DCMTK's server over the files."""
    (folder / "WLM").mkdir()
    (folder / "WLM" / "lockfile").touch()
    for path in FILES:
        shutil.copyfile(path, folder / "WLM" / path.name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = asyncio.subprocess.DEVNULL
    command = (str(program("wlmscpfs")), "-s", "-dhl", "-csk", "-dfp", str(folder), str(port))
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        await until_listening(port)
        yield Peer("WLM", "127.0.0.1", port)
    finally:
        process.terminate()
        await process.wait()


async def found(server: Peer, queries: Sequence[dict[str, Any]]) -> list[set[int] | int]:
    """The numbers of the files that each query finds, or the status with which it fails."""
    with_uid = [scheduled(**{"StudyInstanceUID": "", **keys}) for keys in queries]
    answers = await ask_all(server, with_uid)
    return [one if isinstance(one, int) else set(map(number, one)) for one in answers]


def number(entry: Dataset) -> int:
    return int(entry.StudyInstanceUID.rpartition(".")[2]) - 100


@with_data
@with_dcmtk
@pytest.mark.settings(worklist_timeout=0)  # the files are of the past century
async def test_wlmscpfs_and_the_archive_find_the_same(archive, tmp_path: Path) -> None:
    assert (await archive.run("worklist", "import", *map(str, FILES))).startswith("imported 10 of 10")
    await archive.add_peer(Peer("STATION", "127.0.0.1", 11112))
    queries = [keys for keys, _ in ALIKE] + [one.keys for one in OTHERWISE]
    async with wlmscpfs(tmp_path) as theirs:
        here, there = await found(archive.peer, queries), await found(theirs, queries)
    expected = [(keys, numbers, numbers) for keys, numbers in ALIKE]
    expected += [(one.keys, one.here, one.there) for one in OTHERWISE]
    given = list(zip(queries, here, there, strict=True))
    assert [one for one in given if one not in expected] == []
