"""DCMTK's own clients, as shipped: what a site's scripts and many modalities are made of."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import Contestant


def timed(command: Sequence[str], folder: Path | None = None) -> float:
    """Seconds the command took; raises CalledProcessError when it fails."""
    plain = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    start = time.perf_counter()
    subprocess.run(command, check=True, env=plain, cwd=folder, stdout=subprocess.DEVNULL, timeout=600)
    return time.perf_counter() - start


def _to(contestant: Contestant) -> list[str]:
    host, port = contestant.address
    return ["-aec", contestant.aet, host, str(port)]


def dcmsend(contestant: Contestant, files: Sequence[Path]) -> float:
    """Seconds for storing the files over one association."""
    return timed(["dcmsend", *_to(contestant), *map(str, files)])


def storescu(contestant: Contestant, files: Sequence[Path]) -> float:
    """Seconds for storing the files over one association."""
    return timed(["storescu", *_to(contestant), *map(str, files)])


def findscu(contestant: Contestant, keys: Sequence[str], queries: int) -> float:
    """Milliseconds a query takes on an open association: many in a row less one alone, without starting the program."""
    command = ["findscu", "-q", "-S", *(part for key in keys for part in ("-k", key)), *_to(contestant)]
    alone = timed([*command, "--repeat", "1"])
    return (timed([*command, "--repeat", str(queries + 1)]) - alone) * 1000 / queries


def getscu(contestant: Contestant, study: str, folder: Path) -> float:
    """Seconds for fetching a study by C-GET into files."""
    return timed(["getscu", "-S", "+B", "-od", str(folder), *_study(study), *_to(contestant)])


def movescu(contestant: Contestant, study: str, folder: Path, aet: str, port: int) -> float:
    """Seconds for fetching a study by C-MOVE to movescu's own receiver, into files."""
    receiver = ["-aem", aet, "+P", str(port), "+B"]  # which writes into its working folder
    return timed(["movescu", "-S", *receiver, *_study(study), *_to(contestant)], folder)


def _study(study: str) -> list[str]:
    return ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
