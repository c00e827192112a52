"""C-STORE: objects a second, processor time for each, peak memory; from the fast sender and from DCMTK's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks import objects, stock
from benchmarks.contestants import Contestant
from benchmarks.results import Results
from benchmarks.sending import load
from benchmarks.turns import interleaved


class Trial(NamedTuple):
    """One load: what is sent, over how many associations, how many objects."""

    title: str
    unit: str
    template: Callable[[], objects.Template]
    associations: int
    objects: int


TRIALS = (
    Trial("1 association", "CT", objects.ct, 1, 200),
    Trial("4 associations", "CT", objects.ct, 4, 400),
    Trial("8 associations", "CT", objects.ct, 8, 400),
    Trial("1 association", "SR", objects.sr, 1, 400),
    Trial("8 associations", "SR", objects.sr, 8, 1600),
)
CONTESTANTS = (
    "charrua",
    "charrua-2",
    "orthanc",
    "orthanc-nodelay",
    "orthanc-nosync",
    "dcmrecv",
    "storescp",
    "dcmqrscp",
)
STOCK_CLIENTS = (("dcmsend", stock.dcmsend), ("storescu", stock.storescu))
STOCK_CLIENT_OF = ("charrua", "orthanc", "orthanc-nodelay")


def measure_store(results: Results, names: tuple[str, ...], repeats: int, scale: float) -> None:
    """Run every trial on every contestant named; `scale` below 1 sends fewer objects."""
    with tempfile.TemporaryDirectory(prefix="charrua-bench-") as folder:
        paths = objects.write_files(objects.ct(), objects.numbered(8, int(100 * scale)), Path(folder))

        def turn(contestant: Contestant) -> None:
            load(contestant.address, contestant.aet, objects.ct(), 1, 8, 1)
            for number, trial in enumerate(TRIALS):
                if _applies(contestant, trial):
                    _try(results, contestant, trial, run=100 + number, scale=scale)
            if contestant.name in STOCK_CLIENT_OF:
                _stock_clients(results, contestant, paths)
            results.add("peak resident MiB after CT and SR", contestant.name, contestant.usage().peak_mib)

        interleaved(names, repeats, turn)


def _applies(contestant: Contestant, trial: Trial) -> bool:
    """Orthanc as shipped waits 48 ms for each object whatever it is: only CT over 1, 4 and 8 associations."""
    if contestant.name == "orthanc" and trial.unit == "SR":
        return False
    return trial.associations == 1 or contestant.concurrent


def _try(results: Results, contestant: Contestant, trial: Trial, run: int, scale: float) -> None:
    slow = 0.25 if contestant.name == "orthanc" else 1
    count = max(2, int(trial.objects * scale * slow / trial.associations)) * trial.associations
    before = contestant.usage()
    done = load(contestant.address, contestant.aet, trial.template(), run, count, trial.associations)
    after = contestant.usage()
    title, name = f"{trial.title}: ", contestant.name
    results.add(f"{title}{trial.unit}/s", name, done.per_second)
    results.add(f"{title}CPU ms/{trial.unit}", name, (after.whole_cpu_ms - before.whole_cpu_ms) / count)
    if after.database_cpu_ms:
        database = (after.database_cpu_ms - before.database_cpu_ms) / count
        results.add(f"{title}of which PostgreSQL ms/{trial.unit}", name, database)
    results.add(f"{title}{trial.unit} p50 ms", name, done.p50_ms)
    results.add(f"{title}{trial.unit} p99 ms", name, done.p99_ms)


def _stock_clients(results: Results, contestant: Contestant, paths: list[Path]) -> None:
    for number, (client, run) in enumerate(STOCK_CLIENTS):
        half = paths[number::2]  # each client sends objects that the archive does not have yet
        results.add(f"{client}, 1 association: CT/s", contestant.name, len(half) / run(contestant, half))
