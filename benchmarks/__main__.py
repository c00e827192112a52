"""`python -m benchmarks store|find|qido|…|all`: measures contestants in turn, prints ratios."""

from __future__ import annotations

import argparse
import os
import platform

from benchmarks import find, forward, memory, pages, qido, retrieve, store, stow, viewer, wado
from benchmarks.contestants import ALL
from benchmarks.goals import GOALS
from benchmarks.isolation import isolate
from benchmarks.machine import touch_memory
from benchmarks.results import Results, figures_table, ratio_table

WHAT = ("store", "find", "qido", "move", "get", "memory", "stow", "wado", "forward", "pages", "viewer")


def _options() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    arguments.add_argument("what", choices=[*WHAT, "all"])
    arguments.add_argument("--repeat", type=int, default=3, help="interleaved runs, of which the median counts")
    arguments.add_argument("--only", nargs="*", choices=[kind.name for kind in ALL], help="these contestants only")
    arguments.add_argument("--scale", type=float, default=1.0, help="below 1: fewer objects and queries")
    arguments.add_argument("--orthanc-studies", type=int, default=1000, help="how many studies Orthanc is filled with")
    arguments.add_argument(
        "--studies", type=int, nargs="*", default=[], help="Charrua's larger archives: 100000 1000000"
    )
    return arguments.parse_args()


def _measure(what: str, results: Results, options: argparse.Namespace) -> None:
    modules = {
        "store": store,
        "find": find,
        "qido": qido,
        "memory": memory,
        "stow": stow,
        "wado": wado,
        "forward": forward,
        "pages": pages,
        "viewer": viewer,
    }
    module = modules.get(what, retrieve)
    names = tuple(name for name in module.CONTESTANTS if not options.only or name in options.only)
    if what == "store":
        store.measure_store(results, names, options.repeat, options.scale)
    elif what == "find":
        queries = max(5, int(100 * options.scale))
        find.measure_find(results, names, options.repeat, queries, options.orthanc_studies)
        find.measure_large(results, options.studies, queries)
    elif what == "qido":
        queries = max(5, int(100 * options.scale))
        qido.measure_qido(results, names, options.repeat, queries, options.orthanc_studies)
        qido.measure_large(results, options.studies, queries)
    elif what == "move":
        retrieve.measure_move(results, names, options.repeat)
    elif what == "get":
        retrieve.measure_get(results, names, options.repeat)
    elif what == "stow":
        stow.measure_stow(results, names, options.repeat, options.scale)
    elif what == "wado":
        wado.measure_wado(results, names, options.repeat, options.scale)
    elif what == "forward":
        forward.measure_forward(results, names, options.repeat, options.scale)
    elif what == "pages":
        pages.measure_pages(results, options.studies, max(5, int(50 * options.scale)))
    elif what == "viewer":
        viewer.measure_viewer(results, names, options.repeat, options.scale)
    else:
        memory.measure_memory(results, names, options.repeat)


def main() -> None:
    """Measure what is asked for and print the figures, then the ratios."""
    options = _options()
    isolate()
    touch_memory()
    results = Results()
    for what in WHAT if options.what == "all" else (options.what,):
        _measure(what, results, options)
    print(f"{platform.platform()}, {os.cpu_count()} processors, {options.repeat} interleaved runs\n")
    print(figures_table(results))
    print("\n" + ratio_table(results, GOALS))


if __name__ == "__main__":
    main()
