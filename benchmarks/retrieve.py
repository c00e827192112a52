"""C-MOVE and C-GET of a study of 200 CT: images a second, processor time for each, with fast clients and with DCMTK's."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import objects, stock, wire
from benchmarks.association import Association, AssociationLost, Message
from benchmarks.contestants import Contestant, Peer
from benchmarks.identifiers import GET, IMPLICIT_LITTLE, MOVE, identifier
from benchmarks.isolation import free_port
from benchmarks.results import Results
from benchmarks.sending import send
from benchmarks.sink import AET, sink
from benchmarks.templates import CT_CLASS, EXPLICIT_LITTLE
from benchmarks.turns import interleaved

CONTESTANTS = ("charrua", "orthanc", "orthanc-nodelay", "dcmqrscp")
IMAGES = 200
STUDY = objects.Numbered(9, 0, 0, 0).uid(1)


def measure_move(results: Results, names: Sequence[str], repeats: int) -> None:
    """C-MOVE to a sink that throws away, then by movescu, which writes files."""
    mine = Peer("MOVESCU", "127.0.0.1", free_port())

    def turn(contestant: Contestant) -> None:
        store_study(contestant)
        for _ in range(3):
            _note(results, contestant, "C-MOVE", move)
        with tempfile.TemporaryDirectory(prefix="charrua-bench-") as folder:
            seconds = stock.movescu(contestant, STUDY, Path(folder), mine.aet, mine.port)
            _complete(len(list(Path(folder).iterdir())))
        results.add("movescu of 200 CT: CT/s", contestant.name, IMAGES / seconds)

    with sink() as destination:
        interleaved(names, repeats, turn, [destination, mine])


def measure_get(results: Results, names: Sequence[str], repeats: int) -> None:
    """C-GET by a client that throws away, then by getscu, which writes files."""

    def turn(contestant: Contestant) -> None:
        store_study(contestant)
        for _ in range(3):
            _note(results, contestant, "C-GET", get)
        with tempfile.TemporaryDirectory(prefix="charrua-bench-") as folder:
            seconds = stock.getscu(contestant, STUDY, Path(folder))
            _complete(len(list(Path(folder).iterdir())))
        results.add("getscu of 200 CT: CT/s", contestant.name, IMAGES / seconds)

    interleaved(names, repeats, turn)


def store_study(contestant: Contestant) -> None:
    """Fill the archive with the study that is fetched."""
    which = list(objects.numbered(9, IMAGES, per_study=IMAGES))
    send(contestant.address, contestant.aet, objects.ct(), which)


def _note(results: Results, contestant: Contestant, title: str, fetch: Callable[[Contestant], int]) -> None:
    before = contestant.usage().whole_cpu_ms
    start = time.perf_counter()
    _complete(fetch(contestant))
    seconds = time.perf_counter() - start
    results.add(f"{title} of 200 CT: CT/s", contestant.name, IMAGES / seconds)
    results.add(f"{title} of 200 CT: CPU ms/CT", contestant.name, (contestant.usage().whole_cpu_ms - before) / IMAGES)


def move(contestant: Contestant) -> int:
    """Fetch the study to the sink; returns how many the archive says it sent."""
    with Association(contestant.address, contestant.aet, [wire.Context(MOVE, (IMPLICIT_LITTLE,))]) as association:
        command: wire.Command = {wire.COMMAND: 0x0021, wire.MOVE_DESTINATION: AET.encode()}
        final = association.query(MOVE, command, identifier("STUDY", {"StudyInstanceUID": STUDY}))[-1]
    return _counted(final)


def get(contestant: Contestant) -> int:
    """Fetch the study over this association; returns how many came."""
    contexts = [wire.Context(GET, (IMPLICIT_LITTLE,)), wire.Context(CT_CLASS, (EXPLICIT_LITTLE,), role=(0, 1))]
    received: list[int] = []
    with Association(contestant.address, contestant.aet, contexts) as association:
        asked = identifier("STUDY", {"StudyInstanceUID": STUDY})
        association.query(GET, {wire.COMMAND: 0x0010}, asked, lambda message: received.append(message.context))
    return len(received)


def _counted(final: Message) -> int:
    status = int(final.command[wire.STATUS])
    if status != 0:
        raise AssociationLost(f"C-MOVE ended with {status:04x}")
    return int(final.command.get(wire.COMPLETED, 0))


def _complete(came: int) -> None:
    if came != IMAGES:
        raise AssociationLost(f"{came} of {IMAGES} images came")
