"""The study list on large archives: milliseconds of its page, of the rows for a keystroke, and of both as a browser shows them.

Indexes are filled as those of `find` are. Rows are asked for as the page asks while somebody types a surname, for days, and in
each order; the browser is headless Chromium on the same machine.
"""

from __future__ import annotations

import asyncio
import http.client
import statistics
import time
from collections.abc import Sequence
from types import SimpleNamespace
from urllib.parse import urlencode

from benchmarks import find
from benchmarks.contestants import Charrua, Contestant
from benchmarks.results import Results
from benchmarks.turns import started

CONTESTANTS = ("charrua",)
SURNAME = "rodríguez"
KEYSTROKES = [{"PatientName": SURNAME[:length]} for length in range(1, len(SURNAME) + 1)]
ROWS: dict[str, list[dict[str, str]]] = {
    "typing a surname": KEYSTROKES,
    "typing part of a description": [{"StudyDescription": "lumbar"[:length]} for length in range(1, 7)],
    "typing a patient ID": [{"PatientID": "1234567"[:length]} for length in range(1, 8)],
    "no filter": [{}],
    "a week of CT": [{"date": "range", "from": "2019-03-04", "to": "2019-03-10", "ModalitiesInStudy": "CT"}],
    "a surname in a year": [
        {"PatientName": "silva", "date": "range", "from": "2018-01-01", "to": "2018-12-31"},
    ],
    "sorted by patient": [{"order": "patient"}],
    "sorted by description": [{"order": "description"}],
    "sorted by status": [{"order": "status"}],
}
_SHOWN = "() => document.querySelectorAll('tbody tr').length"
_TYPED = """async (letter) => {
  const input = document.querySelector('input[name=PatientName]');
  const table = document.querySelector('tbody');
  const start = performance.now();
  const changed = new Promise(resolve => new MutationObserver(() => requestAnimationFrame(() => resolve(performance.now())))
    .observe(table, {childList: true, subtree: true}));
  input.focus(); input.value += letter; input.dispatchEvent(new Event('input', {bubbles: true}));
  return Promise.race([changed.then(at => at - start), new Promise(resolve => setTimeout(() => resolve(-1), 5000))]);
}"""


def measure_pages(results: Results, sizes: Sequence[int], queries: int) -> None:
    """Measure the list at each size, smallest first."""
    if not sizes:
        return
    with started(Charrua) as contestant:
        authorization = contestant.authorization()
        for count, _ in find.filled(contestant, sizes):
            _answers(results, contestant, authorization, count, queries)
            asyncio.run(_browser(results, contestant, count))


def _answers(results: Results, contestant: Contestant, authorization: str, count: int, queries: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", contestant.web_port, timeout=60)
    headers = {"Authorization": authorization, "Accept": "text/html"}

    def taken_ms(path: str) -> float:
        start = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}: {body[:300]!r}")
        return (time.perf_counter() - start) * 1000

    asked = {"page": ["/studies"]}
    asked |= {
        f"rows, {title}": [f"/studies/rows?{urlencode(keys)}" for keys in all_keys] for title, all_keys in ROWS.items()
    }
    asked |= {"count, typing a surname": [f"/studies/count?{urlencode(keys)}" for keys in KEYSTROKES]}
    for title, paths in asked.items():
        for path in paths:
            taken_ms(path)
        taken = sorted(taken_ms(paths[number % len(paths)]) for number in range(max(queries, len(paths))))
        results.add(f"list of {count}, {title}: p50 ms", contestant.name, statistics.median(taken))
        results.add(f"list of {count}, {title}: p95 ms", contestant.name, taken[int(len(taken) * 0.95)])


async def _browser(results: Results, contestant: Charrua, count: int) -> None:
    from charrua_core.testing.browser import chromium, opened

    archive = SimpleNamespace(url=f"http://127.0.0.1:{contestant.web_port}")
    async with chromium() as browser:
        page = await opened(browser, archive.url, ("bench", contestant.PASSWORD))
        for turn in range(4):
            start = time.perf_counter()
            await page.goto("/studies")
            await page.wait_for_function(_SHOWN)
            if turn:  # the first fills the browser's cache
                results.add(
                    f"list of {count}, in a browser: ms until rows",
                    contestant.name,
                    (time.perf_counter() - start) * 1000,
                )
        await page.wait_for_load_state("networkidle")
        taken = [float(await page.evaluate(_TYPED, letter)) for letter in SURNAME]
        taken = [
            one for one in taken if one > 0
        ]  # a letter that leaves the rows as they were changes nothing to wait for
        if not taken:
            raise RuntimeError("rows never changed")
        results.add(
            f"list of {count}, in a browser: p50 ms from keystroke to rows", contestant.name, statistics.median(taken)
        )
        results.add(f"list of {count}, in a browser: longest ms from keystroke to rows", contestant.name, max(taken))
