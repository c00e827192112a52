"""C-FIND: milliseconds until the first 100 matches, on archives of 1,000 to 1,000,000 studies.

Every contestant is filled with 1,000 studies by C-STORE. Larger archives are Charrua's alone, filled by `fill_index`:
Orthanc takes 1 to 7 ms for each object and dcmqrscp reads its whole index file at each, so that 100,000 would take them
a quarter of an hour to hours in every turn (`--orthanc-studies 20000` is what patience allows). dcmqrscp holds 500
studies at most: it answers from 450 where the others hold 1,000.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import asyncpg

from benchmarks import fill_index, objects, stock, wire
from benchmarks.association import Association
from benchmarks.contestants import Charrua, Contestant
from benchmarks.identifiers import FIND, IMPLICIT_LITTLE, study_list
from benchmarks.results import Results
from benchmarks.sending import send
from benchmarks.turns import interleaved, started
from charrua_core.postgresql import EmbeddedServer

CONTESTANTS = ("charrua", "orthanc", "orthanc-nodelay", "dcmqrscp")
PAGE = 100
FILL_RUN = 7

# A study's values by keyword: patient, accession, UID, name and date are what the queries ask for.
Study = dict[str, str]


class Question(NamedTuple):
    """One kind of query: the keys it sets for a study that exists."""

    title: str
    keys: Callable[[Study], dict[str, str]]


def _surname(study: Study) -> str:
    return study["PatientName"].partition("^")[0]


QUESTIONS = (
    Question("patient", lambda study: {"PatientID": study["PatientID"]}),
    Question("accession", lambda study: {"AccessionNumber": study["AccessionNumber"]}),
    Question("one match", lambda study: {"StudyInstanceUID": study["StudyInstanceUID"]}),
    Question("surname*", lambda study: {"PatientName": _surname(study) + "*"}),
    Question("3 letters*", lambda study: {"PatientName": _surname(study)[:3] + "*"}),
    Question("*infix*", lambda study: {"PatientName": f"*{_surname(study)[2:]}*"}),
    Question("one day", lambda study: {"StudyDate": study["StudyDate"]}),
    Question("one month", lambda study: {"StudyDate": _month(study)}),
    Question("everything", lambda _: {}),
    Question("month, modality", lambda study: {"StudyDate": _month(study), "ModalitiesInStudy": "CT"}),
)


def _month(study: Study) -> str:
    return f"{study['StudyDate'][:6]}01-{study['StudyDate'][:6]}31".replace("0231", "0228")


def measure_find(results: Results, names: Sequence[str], repeats: int, queries: int, orthanc_studies: int) -> None:
    """Fill each contestant by C-STORE and ask it every question."""

    def turn(contestant: Contestant) -> None:
        count = orthanc_studies if contestant.name.startswith("orthanc") else 1000
        held = min(count, contestant.most_studies)
        fill(contestant, held)
        known = [stored_study(number) for number in random.Random(5).sample(range(held), min(held, 200))]
        if contestant.name != "orthanc":
            ask(results, contestant, known, count, queries)
        one = [f"{keyword}={value}" for keyword, value in {**known[0], "QueryRetrieveLevel": "STUDY"}.items()]
        results.add(f"findscu, one match of {count} studies: ms", contestant.name, stock.findscu(contestant, one, 50))

    interleaved(names, repeats, turn)


def fill(contestant: Contestant, count: int) -> None:
    """Store `count` studies of one small object each."""
    which = list(objects.numbered(FILL_RUN, count, per_series=1, per_study=1))
    send(contestant.address, contestant.aet, objects.sr(), which)


def stored_study(number: int) -> Study:
    """What `fill` stored under this number."""
    values = objects.Numbered(FILL_RUN, number, number, number).values()
    named = {"patient": "PatientID", "accession": "AccessionNumber", "study": "StudyInstanceUID"}
    named |= {"name": "PatientName", "date": "StudyDate"}
    return {keyword: values[name].strip() for name, keyword in named.items()}


def ask(results: Results, contestant: Contestant, known: Sequence[Study], count: int, queries: int) -> None:
    """Note p50 and p95 of every question, the first page of answers only, and the processor time of a query."""
    with Association(contestant.address, contestant.aet, [wire.Context(FIND, (IMPLICIT_LITTLE,))]) as association:
        for question in QUESTIONS:
            asked = [study_list(question.keys(known[number % len(known)])) for number in range(queries)]
            before = contestant.usage().whole_cpu_ms
            taken = [first_page_ms(association, identifier) for identifier in asked]
            spent = contestant.usage().whole_cpu_ms - before
            title = f"C-FIND {question.title} of {count} studies: "
            results.add(title + "p50 ms", contestant.name, statistics.median(taken))
            results.add(title + "p95 ms", contestant.name, sorted(taken)[int(len(taken) * 0.95)])
            results.add(title + "CPU ms", contestant.name, spent / queries)


def first_page_ms(association: Association, asked: bytes) -> float:
    """Milliseconds until the last match, or until match number 100; then the rest is cancelled, and not timed."""
    request: wire.Command = {wire.AFFECTED_CLASS: FIND.encode(), wire.COMMAND: 0x0020}
    start = time.perf_counter()
    association.send(FIND, {**request, wire.MESSAGE_ID: 1, wire.PRIORITY: 0}, asked)
    matches, page_ms = 0, 0.0
    while association.reader.message().command[wire.STATUS] in (0xFF00, 0xFF01):
        matches += 1
        if matches == PAGE:
            page_ms = (time.perf_counter() - start) * 1000
            association.send(FIND, {wire.COMMAND: 0x0FFF, wire.RESPONDED_TO: 1}, None)
    return page_ms or (time.perf_counter() - start) * 1000


def measure_large(results: Results, sizes: Sequence[int], queries: int) -> None:
    """Ask Charrua every question with an index of each size, smallest first, filled without objects."""
    if not sizes:
        return
    with started(Charrua) as contestant:
        for count, known in filled(contestant, sizes):
            ask(results, contestant, known, count, queries)


def filled(contestant: Contestant, sizes: Sequence[int]) -> Iterator[tuple[int, list[Study]]]:
    """Fill the index to each size, smallest first; give the size, and studies that are there then.

    A database that CHARRUA_DATABASE_URL names may hold some of them from a run before.
    """
    for count in sorted(sizes):
        asyncio.run(_fill_index(contestant, count))
        yield count, [_indexed_study(number) for number in random.Random(6).sample(range(1, count + 1), 200)]


async def _fill_index(contestant: Contestant, count: int) -> None:
    embedded = EmbeddedServer(contestant.folder / "data" / "postgresql")
    connection = await asyncpg.connect(os.environ.get("CHARRUA_DATABASE_URL") or embedded.url("charrua"))
    try:
        held = await connection.fetchval("SELECT count(*) FROM core.study")
        if held < count:
            await fill_index.fill(connection, count - held, held + 1)
        with contextlib.suppress(
            asyncpg.InsufficientPrivilegeError
        ):  # writing it all out must not fall into the queries
            await connection.execute("checkpoint")
    finally:
        await connection.close()


def _indexed_study(number: int) -> Study:
    row = fill_index.study(number)
    return {
        "PatientID": row["patient_id"],
        "AccessionNumber": row["accession_number"],
        "StudyInstanceUID": row["study_uid"],
        "PatientName": row["patient_name"],
        "StudyDate": row["study_date"],
    }
