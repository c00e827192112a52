"""Modality Worklist: milliseconds until the last match of what stations ask, beside DCMTK's wlmscpfs.

`python -m benchmarks.worklist --entries 100000 --files 5000` fills Charrua's table with entries of 250 a day, all of them
SCHEDULED (the past as well, which is the worst case), and wlmscpfs's folder with the first of the same as files.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

import asyncpg
import orjson
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks import wire
from benchmarks.association import Association
from benchmarks.contestants import Charrua, Contestant, Wlmscpfs
from benchmarks.fill_index import GIVEN, MODALITIES, SURNAMES
from benchmarks.identifiers import IMPLICIT_LITTLE
from benchmarks.isolation import isolate
from benchmarks.results import Results, figures_table
from benchmarks.turns import started
from charrua_core.postgresql import EmbeddedServer
from charrua_hl7.worklist.entries import Status, columns_of, with_status

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
A_DAY = 250
_ROOT = "1.2.826.0.1.3680043.10.2"
_ASKED = (
    *("SpecificCharacterSet", "AccessionNumber", "PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "RequestedProcedureID", "RequestedProcedureDescription", "ReferringPhysicianName"),
)
_ASKED_OF_STEP = (
    *("Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"),
    *("ScheduledPerformingPhysicianName", "ScheduledProcedureStepDescription", "ScheduledProcedureStepID"),
)


def entry(number: int) -> Dataset:
    """Give the entry of this number, the same in every run."""
    chance = random.Random(number)
    told, step = Dataset(), Dataset()
    told.SpecificCharacterSet = "ISO_IR 192"
    told.PatientName = f"{chance.choice(SURNAMES)}^{chance.choice(GIVEN)}"
    told.PatientID, told.AccessionNumber = f"P{number:07}", f"A{number:08}"
    told.PatientBirthDate, told.PatientSex = f"19{chance.randrange(40, 99)}0{chance.randrange(1, 9)}15", "F"
    told.StudyInstanceUID, told.RequestedProcedureID = f"{_ROOT}.{number}", f"R{number}"
    told.RequestedProcedureDescription, told.ReferringPhysicianName = "TÓRAX", chance.choice(SURNAMES)
    told.RequestingPhysician, told.RequestedProcedurePriority = chance.choice(SURNAMES), "ROUTINE"
    step.Modality = chance.choice(MODALITIES)
    step.ScheduledStationAETitle = f"{step.Modality}{chance.randrange(1, 4)}"
    step.ScheduledProcedureStepStartDate = day_of(number)
    step.ScheduledProcedureStepStartTime = f"{chance.randrange(7, 19):02}{chance.randrange(0, 60, 5):02}00"
    step.ScheduledPerformingPhysicianName = chance.choice(SURNAMES)
    step.ScheduledProcedureStepDescription, step.ScheduledProcedureStepID = "TÓRAX", f"S{number}"
    told.ScheduledProcedureStepSequence = [step]
    return told


def day_of(number: int) -> str:
    """Give the day of an entry as DA."""
    return f"{date(2026, 1, 1) + timedelta(days=number // A_DAY):%Y%m%d}"


class Question(NamedTuple):
    """What a station asks about an entry that exists: keys of the order and of the step."""

    title: str
    keys: Callable[[Dataset], dict[str, str]]


def _of_step(known: Dataset, *keywords: str) -> dict[str, str]:
    [step] = known.ScheduledProcedureStepSequence
    return {keyword: str(step[keyword].value) for keyword in keywords}


def _surname(known: Dataset) -> dict[str, str]:
    return {"PatientName": f"{str(known.PatientName).partition('^')[0]}*"}


QUESTIONS = (
    Question("accession number", lambda known: {"AccessionNumber": known.AccessionNumber}),
    Question("patient ID", lambda known: {"PatientID": known.PatientID}),
    Question(
        "day, station", lambda known: _of_step(known, "ScheduledProcedureStepStartDate", "ScheduledStationAETitle")
    ),
    Question("day, modality", lambda known: _of_step(known, "ScheduledProcedureStepStartDate", "Modality")),
    Question("day, surname*", lambda known: _of_step(known, "ScheduledProcedureStepStartDate") | _surname(known)),
)


def asked(keys: dict[str, str]) -> bytes:
    """Give a query with these keys, and what modalities want to know, in Implicit VR Little Endian."""
    told, step = Dataset(), Dataset()
    for keyword in _ASKED:
        setattr(told, keyword, keys.get(keyword, ""))
    for keyword in _ASKED_OF_STEP:
        setattr(step, keyword, keys.get(keyword, ""))
    told.SpecificCharacterSet, told.ScheduledProcedureStepSequence = "ISO_IR 192", [step]
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, True
    write_dataset(out, told)
    return bytes(out.getvalue())


def ask(results: Results, contestant: Contestant, count: int, queries: int) -> None:
    """Note p50 and p95 of every question, all of its matches read, the processor time, and how many matches there are."""
    known = [entry(number) for number in random.Random(7).sample(range(count), min(count, 200))]
    context = wire.Context(MODALITY_WORKLIST, (IMPLICIT_LITTLE,))
    with Association(contestant.address, contestant.aet, [context]) as association:
        for question in QUESTIONS:
            identifiers = [asked(question.keys(known[number % len(known)])) for number in range(queries)]
            before = contestant.usage().whole_cpu_ms
            taken, matches = zip(*(_found(association, one) for one in identifiers), strict=True)
            spent = contestant.usage().whole_cpu_ms - before
            title = f"C-FIND {question.title} of {count} entries: "
            results.add(title + "p50 ms", contestant.name, statistics.median(taken))
            results.add(title + "p95 ms", contestant.name, sorted(taken)[int(len(taken) * 0.95)])
            results.add(title + "CPU ms", contestant.name, spent / queries)
            results.add(title + "matches", contestant.name, statistics.mean(matches))


def _found(association: Association, identifier: bytes) -> tuple[float, int]:
    """Milliseconds until the end of the matches, and how many there were."""
    request: wire.Command = {wire.AFFECTED_CLASS: MODALITY_WORKLIST.encode(), wire.COMMAND: 0x0020}
    start, matches = time.perf_counter(), 0
    association.send(MODALITY_WORKLIST, {**request, wire.MESSAGE_ID: 1, wire.PRIORITY: 0}, identifier)
    while (status := association.reader.message().command[wire.STATUS]) in (0xFF00, 0xFF01):
        matches += 1
    if status:
        raise RuntimeError(f"the query ended with status {status}")
    return (time.perf_counter() - start) * 1000, matches


async def fill_table(contestant: Contestant, count: int) -> None:
    """Copy the entries into Charrua's table."""
    embedded = EmbeddedServer(contestant.folder / "data" / "postgresql")
    connection = await asyncpg.connect(os.environ.get("CHARRUA_DATABASE_URL") or embedded.url("charrua"))
    names = ["order_key", "status", "source", *columns_of({})]
    try:
        for first in range(0, count, 5000):
            rows = list(_rows(range(first, min(count, first + 5000)), names))
            await connection.copy_records_to_table("entry", schema_name="charrua_hl7", columns=names, records=rows)
        await connection.execute("VACUUM ANALYZE charrua_hl7.entry")
    finally:
        await connection.close()


def _rows(numbers: range, names: list[str]) -> Iterator[tuple[object, ...]]:
    for number in numbers:
        told = entry(number).to_json_dict(bulk_data_threshold=1 << 20)
        columns = columns_of(with_status(told, Status.SCHEDULED))
        columns["attributes"] = orjson.dumps(columns["attributes"]).decode()
        row = {"order_key": f"bench {number}", "status": "SCHEDULED", "source": "bench", **columns}
        yield tuple(row[name] for name in names)


def fill_files(contestant: Wlmscpfs, count: int) -> None:
    """Write the entries as files."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"
    for number in range(count):
        meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = f"{_ROOT}.9.{number}", ExplicitVRLittleEndian
        told = entry(number)
        told.file_meta = meta
        told.save_as(contestant.files / f"{number}.wl", enforce_file_format=True)


def main() -> None:
    """Measure, and print the medians."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.worklist", description=__doc__)
    arguments.add_argument("--entries", type=int, nargs="*", default=[5000, 100_000], help="of Charrua")
    arguments.add_argument("--files", type=int, default=5000, help="of wlmscpfs; 0 leaves it out")
    arguments.add_argument("--queries", type=int, default=100)
    options = arguments.parse_args()
    isolate()
    os.environ["CHARRUA_WORKLIST_TIMEOUT"] = "0"
    results = Results()
    for count in options.entries:
        with started(Charrua) as archive:
            asyncio.run(fill_table(archive, count))
            ask(results, archive, count, options.queries)
    if options.files:
        with started(Wlmscpfs) as other:
            assert isinstance(other, Wlmscpfs)
            fill_files(other, options.files)
            ask(results, other, options.files, max(5, options.queries // 10))
    print(figures_table(results))


if __name__ == "__main__":
    main()
