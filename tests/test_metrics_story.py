"""What the processes of a running archive measure, in one scrape."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from charrua_core.cli.measured import all_declared
from charrua_core.hooks import Hooks
from charrua_core.metrics import Bound
from charrua_core.testing.devices import Modality, Workstation
from charrua_core.testing.measured import Measured
from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.running import Archive
from charrua_core.testing.waiting import until

STORED = {"transfer": "dimse", "outcome": "stored"}


async def measured(archive: Archive, sample: str, at_least: float, **labels: str) -> Measured:
    """The metrics, once this one has come to be as it should."""
    found: list[Measured] = []

    async def there() -> bool:
        found[:] = [await archive.measured()]
        return found[0].get(sample, **labels) >= at_least

    await until(there, 20)
    return found[0]


@pytest.mark.settings(accept_empty_patient_id="refuse")
async def test_what_happens_is_counted(archive: Archive, modality: Modality, workstation: Workstation) -> None:
    study = a_study(images=3)
    await modality.give(study)
    assert await modality.store(study[0]) == [0x0000]
    assert await modality.store(an_object(PatientID="")) == [0xA900]
    assert await modality.echo() == 0x0000
    await workstation.find("STUDY")
    await workstation.get("STUDY", StudyInstanceUID=study[0].StudyInstanceUID)
    told = await measured(archive, "charrua_dimse_requests_total", 1, operation="C-GET", outcome="success")

    assert told.get("charrua_objects_received_total", **STORED) == 3
    assert told.get("charrua_objects_received_total", transfer="dimse", outcome="duplicate") == 1
    assert told.get("charrua_objects_received_total", transfer="dimse", outcome="refused") == 1
    assert told.get("charrua_object_bytes_received_total") > 5 * 128
    assert told.get("charrua_object_receive_seconds_count", transfer="dimse") == 5
    assert told.get("charrua_ingest_group_objects_sum") == 4
    assert told.get("charrua_ingest_flush_seconds_count") >= 1
    assert told.get("charrua_ingest_commit_seconds_count") >= 1
    assert told.get("charrua_dimse_requests_total", operation="C-STORE", outcome="success") == 4
    assert told.get("charrua_dimse_requests_total", operation="C-STORE", outcome="failure") == 1
    assert told.get("charrua_dimse_requests_total", operation="C-ECHO", outcome="success") == 1
    assert told.get("charrua_dimse_requests_total", operation="C-FIND", outcome="success") == 1
    assert told.get("charrua_dimse_request_seconds_count", operation="C-FIND") == 1
    assert told.get("charrua_dimse_asked_total", operation="C-STORE", outcome="success") == 3
    assert told.get("charrua_associations_accepted_total") == 6
    assert told.get("charrua_associations_open") == 0
    assert told.get("charrua_associations_ended_total", end="released") == 6
    assert told.get("charrua_hook_seconds_count", plugin="storescp", hook="accept_object") == 5
    assert told.get("charrua_process_open_fds", process="main") > 3
    assert told.get("charrua_volume_free_bytes", volume="1") > 0
    assert told.get("charrua_plugin_info", plugin="qr") == 1
    assert told.get("charrua_query_matches_total") == 1
    assert told.get("charrua_retrieved_objects_total", outcome="completed") == 3
    assert labels_beyond_their_bounds(told) == []


def labels_beyond_their_bounds(told: Measured) -> list[str]:
    """What is labelled as it was not declared to be."""
    declared = {one.name.removesuffix("_total"): one for one in all_declared(Hooks().packages())}
    own = {"le", "process"}
    return [
        f"{sample.name} {label}={value}"
        for family in told.families.values()
        for sample in family.samples
        for label, value in sample.labels.items()
        if label not in own | declared[family.name].labels.keys()
        or (
            label not in own
            and not isinstance(among := declared[family.name].labels[label], Bound)
            and value not in among
        )
    ]


async def test_a_rejected_association_is_counted_by_its_reason(archive: Archive, modality: Modality) -> None:
    modality.archive = type(modality.archive)("ELSEWHERE", modality.archive.host, modality.archive.port)
    with pytest.raises(Exception, match="called AE"):
        await modality.echo()
    await measured(archive, "charrua_associations_rejected_total", 1, reason="called AE title not recognized")


def of_each(archive: Archive) -> dict[str, float]:
    """Objects that each worker process says it has stored."""
    counts = {}
    for file in (archive.data_dir / "metrics").glob("worker-*.json"):
        families = {name: values for name, _, _, values in orjson.loads(file.read_bytes())}
        values = families.get("charrua_objects_received", [])
        counts[file.stem] = sum(value for _, labels, value in values if ["outcome", "stored"] in labels)
    return counts


async def test_the_counts_of_all_processes_add_up_and_survive_one_of_them(
    start_archive: Callable[..., Any], environment: dict[str, str]
) -> None:
    archive: Archive = await start_archive(settings={"workers": 2})
    sent = 0

    async def both_have_stored() -> bool:
        nonlocal sent
        await asyncio.gather(*(Modality(archive.peer).give(an_object()) for _ in range(6)))
        sent += 6
        await asyncio.sleep(0.3)
        return len(of_each(archive)) == 2 and all(of_each(archive).values())

    await until(both_have_stored, 30)
    told = await measured(archive, "charrua_objects_received_total", sent, **STORED)
    assert told.get("charrua_objects_received_total", **STORED) == sent
    assert told.get("charrua_workers_running") == 2

    os.kill(a_worker(archive), signal.SIGKILL)
    told = await measured(archive, "charrua_worker_deaths_total", 1)
    assert told.get("charrua_objects_received_total", **STORED) == sent
    await until(lambda: "worker ended" in archive.told())
    await Modality(archive.peer).give(an_object())
    told = await measured(archive, "charrua_objects_received_total", sent + 1, **STORED)
    assert told.get("charrua_objects_received_total", **STORED) == sent + 1


def a_worker(archive: Archive) -> int:
    assert archive.process is not None
    children = Path(f"/proc/{archive.process.pid}/task/{archive.process.pid}/children").read_text().split()
    return next(int(pid) for pid in children if b"services.worker" in Path(f"/proc/{pid}/cmdline").read_bytes())


async def test_without_a_server_there_is_nothing_to_tell(archive: Archive) -> None:
    await archive.stop()
    status, _, said = await archive.charrua("metrics")
    assert status == 1
    assert "no server runs" in said


async def test_another_start_counts_from_nothing(archive: Archive, modality: Modality) -> None:
    await modality.give(an_object())
    await measured(archive, "charrua_objects_received_total", 1, **STORED)
    await archive.stop()
    await archive.start()
    told = await measured(archive, "charrua_process_open_fds", 1)
    assert told.get("charrua_objects_received_total") == 0


async def test_no_label_is_made_of_what_comes_from_outside(archive: Archive, modality: Modality) -> None:
    modality.aet = "STRANGER"
    image = an_object(PatientName="Canary^Bird", PatientID="CANARY7")
    await modality.give(image)
    await measured(archive, "charrua_objects_received_total", 1, **STORED)
    text = await archive.run("metrics")
    secrets = ["STRANGER", "127.0.0.1", "anary", "CANARY7", image.SOPInstanceUID, image.StudyInstanceUID]
    assert [secret for secret in secrets if secret in text] == []
