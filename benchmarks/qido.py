"""QIDO-RS: milliseconds of a page of 100 studies, HTTP included, on archives of 1,000 to 1,000,000 studies.

The questions, and how archives are filled, are those of `find`.
"""

from __future__ import annotations

import http.client
import random
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks import find
from benchmarks.contestants import Charrua, Contestant
from benchmarks.results import Results
from benchmarks.turns import interleaved, started

CONTESTANTS = ("charrua", "orthanc-web")
PAGE = 100


class Client(NamedTuple):
    """A connection to the DICOMweb services of a contestant, and the headers that they want."""

    connection: http.client.HTTPConnection
    path: str
    headers: dict[str, str]

    @classmethod
    def of(cls, contestant: Contestant) -> Client:
        """Give one that is logged in."""
        headers = {"Accept": "application/dicom+json"}
        if authorization := contestant.authorization():
            headers["Authorization"] = authorization
        connection = http.client.HTTPConnection("127.0.0.1", contestant.web_port, timeout=60)
        return cls(connection, f"{contestant.web}/studies?limit={PAGE}&", headers)

    def page_ms(self, keys: dict[str, str]) -> float:
        """Milliseconds until a page is there whole."""
        start = time.perf_counter()
        self.connection.request("GET", self.path + urlencode(keys), headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status not in (200, 204):
            raise RuntimeError(f"{answer.status}: {body[:500]!r}")
        return (time.perf_counter() - start) * 1000


def measure_qido(results: Results, names: Sequence[str], repeats: int, queries: int, orthanc_studies: int) -> None:
    """Fill each contestant by C-STORE and ask it every question."""

    def turn(contestant: Contestant) -> None:
        find.fill(contestant, orthanc_studies)
        chosen = random.Random(5).sample(range(orthanc_studies), min(orthanc_studies, 200))
        ask(
            results,
            contestant,
            Client.of(contestant),
            [find.stored_study(one) for one in chosen],
            orthanc_studies,
            queries,
        )

    interleaved(names, repeats, turn)


def measure_large(results: Results, sizes: Sequence[int], queries: int) -> None:
    """Ask Charrua every question with an index of each size, smallest first, filled without objects."""
    if not sizes:
        return
    with started(Charrua) as contestant:
        client = Client.of(contestant)
        for count, known in find.filled(contestant, sizes):
            ask(results, contestant, client, known, count, queries)


def ask(
    results: Results, contestant: Contestant, client: Client, known: Sequence[find.Study], count: int, queries: int
) -> None:
    """Note p50 and p95 of every question, and the processor time of a query."""
    for question in find.QUESTIONS:
        asked = [question.keys(known[number % len(known)]) for number in range(queries)]
        client.page_ms(asked[0])
        before = contestant.usage().whole_cpu_ms
        taken = [client.page_ms(keys) for keys in asked]
        spent = contestant.usage().whole_cpu_ms - before
        title = f"QIDO {question.title} of {count} studies: "
        results.add(title + "p50 ms", contestant.name, statistics.median(taken))
        results.add(title + "p95 ms", contestant.name, sorted(taken)[int(len(taken) * 0.95)])
        results.add(title + "CPU ms", contestant.name, spent / queries)
