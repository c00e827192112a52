"""Metrics: declared with bounded labels, summed over processes, read from plugins when somebody asks."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrua_core import metrics
from charrua_core.app import App
from charrua_core.budgets import BUDGETS, Budget
from charrua_core.cli.measured import all_declared
from charrua_core.errors import DatabaseUnavailable
from charrua_core.hooks import Hooks
from charrua_core.metrics import Bound, Declaration, Published, published
from charrua_core.services import readings
from charrua_core.testing.measured import Measured

Open = Callable[..., Any]

MOST_WORDS = 32
UNITS = ("seconds", "bytes", "total", "info", "objects", "rows", "works", "fds")
THINGS = re.compile(r"_(open|waiting|running|jobs|changes|records|in_use|max)$")
"""Endings of numbers of things."""

_TICKS = metrics.counter("charrua_test_ticks_total", "Ticks.", kind=("loud", "quiet"))
_LEVEL = metrics.gauge("charrua_test_level_bytes", "Level.")
_LASTS = metrics.histogram("charrua_test_seconds", "Lasts.", (1.0, 10.0))


@pytest.mark.parametrize("one", all_declared(Hooks().packages()), ids=lambda one: one.name)
def test_a_metric_is_named_after_what_it_counts_and_in_which_unit(one: Declaration) -> None:
    assert one.name.endswith("_total") is (one.kind == "counter")
    assert one.name.endswith(UNITS) or THINGS.search(one.name)
    assert re.fullmatch(r"[^\n|]+\.", one.text), "a sentence for the table"


@pytest.mark.parametrize("one", all_declared(Hooks().packages()), ids=lambda one: one.name)
def test_no_metric_has_a_label_without_bounds(one: Declaration) -> None:
    assert len(one.labels) <= 3
    for label, values in one.labels.items():
        assert re.fullmatch(r"[a-z_]+", label)
        assert isinstance(values, Bound) or 0 < len(set(values)) <= MOST_WORDS
        assert label not in {"patient", "study", "series", "sop_instance", "aet", "address", "user", "name"}


@pytest.mark.parametrize("name", ["objects_total", "charrua_Objects", "charrua_seconds_created", "charrua_jobs"])
def test_a_name_that_will_not_do_or_is_taken_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="charrua"):
        metrics.reading(name, "Something.")


def test_a_value_has_the_labels_that_were_declared() -> None:
    jobs = metrics.Reading(metrics.DECLARED["charrua_jobs"])
    with pytest.raises(ValueError, match="has the labels"):
        jobs.of(1, patient="Doe")


def told(data_dir: Path) -> Measured:
    """What a command beside the processes reads."""
    return Measured(metrics.rendered(Published(data_dir, "nobody").all()).decode())


def test_what_a_process_measured_outlives_it_and_its_successor_goes_on(tmp_path: Path) -> None:
    before = _TICKS.labels("loud")._value.get()
    with Published(tmp_path, "worker-1").kept():
        _TICKS.labels("loud").inc(3)
        _LEVEL.set(7)
        _LASTS.observe(2)
    assert told(tmp_path).get("charrua_test_ticks_total", kind="loud") == before + 3
    assert told(tmp_path).get("charrua_test_level_bytes", process="worker-1") == 7
    # In a process of its own the successor would begin at nothing: here it begins at what this one has.
    with Published(tmp_path, "worker-1").kept():
        pass
    assert told(tmp_path).get("charrua_test_ticks_total", kind="loud") == 2 * (before + 3)
    with Published(tmp_path, "worker-2").kept():
        pass
    assert told(tmp_path).get("charrua_test_ticks_total", kind="loud") == 3 * (before + 3)
    assert told(tmp_path).get("charrua_test_seconds_bucket", le="10.0") == 3
    assert told(tmp_path).get("charrua_test_seconds_bucket", le="1.0") == 0


def test_gauges_of_a_process_that_is_gone_are_not_told(tmp_path: Path) -> None:
    with Published(tmp_path, "worker-1").kept():
        _TICKS.labels("quiet").inc()
        _LEVEL.set(7)
    long_ago = time.time() - published.STALE_S - 1
    os.utime(tmp_path / "metrics" / "worker-1.json", (long_ago, long_ago))
    assert told(tmp_path).get("charrua_test_level_bytes") == 0
    assert told(tmp_path).get("charrua_test_ticks_total", kind="quiet") >= 1


def test_a_start_begins_with_nothing(tmp_path: Path) -> None:
    with Published(tmp_path, "main").kept():
        pass
    metrics.tidy(tmp_path)
    assert told(tmp_path).families == {}


VENDOR = """
from charrua_core import metrics as measure

asked = 0
ONE = measure.DECLARED.get("charrua_vendor_waiting") or measure.reading("charrua_vendor_waiting", "Waiting.").declaration

@hookimpl
async def metrics(app):
    global asked
    asked += 1
    return [measure.Reading(ONE).of(asked)]
"""


async def exposition(app: App) -> Measured:
    return Measured((await app.metrics.exposition()).decode())


async def test_a_plugin_reads_values_when_somebody_asks_but_not_more_than_once_in_five_seconds(
    write_plugin: Open, open_archive: Open
) -> None:
    write_plugin("vendor", VENDOR)
    app = await open_archive(plugins=("vendor",))
    assert [(await exposition(app)).get("charrua_vendor_waiting") for _ in range(3)] == [1, 1, 1]
    app.metrics._read_at -= 5
    assert (await exposition(app)).get("charrua_vendor_waiting") == 2


@pytest.mark.parametrize("body", ["return [7]", "raise ZeroDivisionError", "import time; time.sleep(9)"])
async def test_a_plugin_that_cannot_tell_is_left_out_and_the_others_are_not(
    write_plugin: Open, open_archive: Open, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setitem(BUDGETS, "metrics", Budget(0.5, 1.0))
    write_plugin("vendor", f"@hookimpl\ndef metrics():\n    {body}\n")
    app = await open_archive(plugins=("vendor",))
    read = await exposition(app)
    assert read.get("charrua_volume_free_bytes", volume="1") > 0
    assert read.get("charrua_plugin_info", plugin="vendor") == 1


async def test_core_reads_what_the_database_knows(archive_in_process: App) -> None:
    await archive_in_process.jobs.enqueue("test.do", {})
    read = await exposition(archive_in_process)
    assert read.get("charrua_jobs", kind="test.do", state="due") == 1
    assert read.get("charrua_volume_size_bytes", volume="1") >= read.get("charrua_volume_free_bytes", volume="1") > 0
    assert read.get("charrua_volume_works", volume="1") == 1
    assert read.get("charrua_database_size_bytes") > 1_000_000
    assert read.get("charrua_build_info") == 1
    assert {"study", "series", "instance"} == {
        sample.labels["level"] for sample in read.families["charrua_index_rows"].samples
    }


async def test_a_database_that_fails_or_hangs_leaves_the_rest_to_be_told(
    archive_in_process: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: App) -> list[metrics.Read]:
        raise DatabaseUnavailable

    async def hangs(_: App) -> list[metrics.Read]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(readings, "READ_WITHIN_S", 0.5)
    monkeypatch.setattr(readings, "_PARTS", (readings._volumes, fails, hangs))
    read = await exposition(archive_in_process)
    assert read.get("charrua_volume_free_bytes") > 0
    assert read.get("charrua_jobs") == 0


async def test_a_log_in_is_counted_by_what_became_of_it(archive_in_process: App) -> None:
    app = archive_in_process
    counted = metrics.declared.REGISTRY.get_sample_value
    labels = {"scheme": "password", "outcome": "refused"}
    before = counted("charrua_log_ins_total", labels) or 0
    with pytest.raises(Exception, match="wrong"):
        await app.log_in({"scheme": "password", "name": "nobody", "password": "x", "address": "10.0.0.1"})
    assert counted("charrua_log_ins_total", labels) == before + 1
