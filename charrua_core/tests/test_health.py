"""What works and what does not: told in time, in a word or in full."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from charrua_core.app import App
from charrua_core.budgets import GATE, Watch
from charrua_core.dicom.certificates import self_signed
from charrua_core.services import breaches, checks, health, listening
from charrua_core.services.forecast import Forecast
from charrua_core.services.health import Report
from charrua_core.types import Finding

Open = Callable[..., Any]


def finding(report: Report, name: str) -> Finding:
    [found] = [one for one in report.findings if one.name == name]
    return found


def shown(report: Report, name: str) -> dict[str, Any]:
    [found] = [one for one in report.in_full()["findings"] if one["name"] == name]
    return dict(found)


async def test_an_archive_that_works_is_ok(archive_in_process: App) -> None:
    report = await archive_in_process.health.report()
    assert (report.status, report.http_status, report.in_a_word()) == ("ok", 200, {"status": "ok"})
    told = report.in_full()["findings"]
    assert {"database", "clock", "volume 1", "jobs"} <= {one["name"] for one in told}
    assert all(one["works"] and "since" not in one for one in told)


@pytest.mark.parametrize(
    ("given", "status", "http_status"),
    [
        ('("it", True, "fine")', "ok", 200),
        ('("it", False, "hm")', "degraded", 200),
        ('Finding("it", False, "hm", "mend it so")', "degraded", 200),
        ('Finding("it", False, "hm", "mend it so", vital=True)', "failing", 503),
        ('("it", True)', "degraded", 200),
        ("7", "degraded", 200),
    ],
)
async def test_a_plugin_tells_how_it_is(
    write_plugin: Open, open_archive: Open, given: str, status: str, http_status: int
) -> None:
    write_plugin("vendor", f"@hookimpl\ndef health():\n    return [{given}]\n")
    app = await open_archive(plugins=("vendor",))
    report = await app.health.report()
    assert (report.status, report.http_status) == (status, http_status)


async def test_what_does_not_work_tells_since_when_and_how_to_mend_it(write_plugin: Open, open_archive: Open) -> None:
    source = "works = False\n@hookimpl\ndef health():\n    return [Finding('it', works, 'hm', 'mend it so')]\n"
    write_plugin("vendor", source)
    app = await open_archive(plugins=("vendor",))
    first = shown(await app.health.report(), "it")
    assert (first["name"], first["mend"]) == ("it", "mend it so")
    assert datetime.now(UTC) - datetime.fromisoformat(first["since"]) < timedelta(seconds=30)
    await asyncio.sleep(1.1)
    again = shown(await app.health.report(), "it")
    assert again["since"] == first["since"]


async def test_all_who_ask_within_a_second_are_told_the_same(archive_in_process: App) -> None:
    first, second = await asyncio.gather(archive_in_process.health.report(), archive_in_process.health.report())
    assert first is second


async def test_a_database_that_hangs_is_told_of_within_two_seconds(
    archive_in_process: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0

    async def hangs(_: App) -> list[Finding]:
        nonlocal begun
        begun += 1
        await asyncio.sleep(60)
        return []

    monkeypatch.setitem(checks._CHECKS, "database", hangs)
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    for _ in range(2):
        began = time.monotonic()
        report = await archive_in_process.health.report()
        assert time.monotonic() - began < 2
        assert (report.status, finding(report, "database").works) == ("failing", False)
        assert finding(report, "volume 1").works
    assert begun == 1  # what hangs is not begun again and again


async def test_a_plugin_that_hangs_keeps_nobody_waiting(write_plugin: Open, open_archive: Open) -> None:
    write_plugin("vendor", "import asyncio\n@hookimpl\nasync def health():\n    await asyncio.sleep(60)\n")
    app = await open_archive(plugins=("vendor",))
    began = time.monotonic()
    report = await app.health.report()
    assert time.monotonic() - began < 2
    assert (report.status, finding(report, "vendor").works) == ("degraded", False)


@pytest.mark.parametrize(("minutes_ago", "works"), [(1, False), (20, True)])
async def test_a_plugin_that_took_far_too_long_degrades_it_for_a_while(
    archive_in_process: App, minutes_ago: int, works: bool
) -> None:
    watch = Watch("vendor", "on_query", GATE)
    with breaches.kept(archive_in_process.data_dir, [watch]):
        watch.took(9.0)
        watch.late_at -= minutes_ago * 60
        watch.on_breach(watch)
        assert finding(await archive_in_process.health.report(), "plugin vendor").works is works


async def test_a_volume_that_is_full_or_gone_fails_the_archive(open_archive: Open) -> None:
    app = await open_archive(settings={"storage_reserve_bytes": 1 << 60})
    assert (await app.health.report()).status == "failing"


@pytest.mark.parametrize(
    ("hours", "free", "lasts"),
    [
        (0.5, 900, None),
        (2, 1000, None),
        (2, 1100, None),
        (2, 900, timedelta(hours=18)),
        (24, 100, timedelta(hours=24 / 9)),
    ],
)
def test_room_lasts_as_long_as_it_did_in_the_last_day(hours: float, free: int, lasts: timedelta | None) -> None:
    forecast = Forecast()
    assert forecast.lasts(5.0, 1000) is None
    assert forecast.lasts(5.0 + hours * 3600, free) == lasts


async def test_a_volume_that_will_be_full_the_day_after_tomorrow_degrades_it(
    archive_in_process: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Forecast, "lasts", lambda *_: timedelta(days=1.5))
    report = await archive_in_process.health.report()
    assert report.status == "degraded"
    assert "full in 1.5 days" in finding(report, "volume 1").sentence


async def test_a_disk_that_is_not_mounted_fails_the_archive(archive_in_process: App) -> None:
    volume = archive_in_process.volumes.current
    (volume.root / "charrua-volume.txt").unlink()
    report = await archive_in_process.health.report()
    assert (report.status, finding(report, "volume 1").mend) == ("failing", f"mount the disk of {volume.root}")


async def test_jobs_that_were_given_up_degrade_it(archive_in_process: App) -> None:
    await archive_in_process.jobs.enqueue("test.do", {})
    async with archive_in_process.db.driver() as connection:
        await connection.execute("UPDATE core.job SET state = 'dead'")
    report = await archive_in_process.health.report()
    assert (report.status, finding(report, "jobs").sentence) == ("degraded", "1 dead")


@pytest.mark.parametrize(("minutes", "works"), [(1, True), (20, False)])
async def test_a_follower_that_is_far_behind_degrades_it(
    write_plugin: Open, open_archive: Open, minutes: int, works: bool
) -> None:
    write_plugin("vendor", "@hookimpl\ndef on_object_stored(stored):\n    pass\n")
    app = await open_archive(plugins=("vendor",))
    async with app.db.driver() as connection:
        await connection.execute("INSERT INTO core.follower (name) VALUES ('vendor.on_object_stored'), ('gone')")
        await connection.execute(
            "INSERT INTO core.change (kind, payload, at) VALUES ('object', '{}', now() - make_interval(mins => $1))",
            minutes,
        )
    report = await app.health.report()
    assert finding(report, "follower vendor.on_object_stored").works is works
    assert "follower gone" not in {one.name for one in report.findings}


async def test_clocks_that_are_apart_degrade_it(archive_in_process: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CLOCKS_APART", timedelta(0))
    assert not finding(await archive_in_process.health.report(), "clock").works


async def test_a_certificate_that_ends_soon_degrades_it(open_archive: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await open_archive(settings={"dicom_tls": "encrypt"})
    assert finding(await app.health.report(), "certificate").works
    monkeypatch.setattr(checks, "RENEW_CERTIFICATE", timedelta(days=4000))
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    app.health._until = 0.0
    report = await app.health.report()
    assert (report.status, finding(report, "certificate").works) == ("degraded", False)


@pytest.mark.parametrize(
    "settings",
    [
        {"dicom_user_identity": "required"},
        {"unknown_aets_may": "store"},
        {"dicom_tls": "require", "dicom_tls_authorities": "authority"},
    ],
)
async def test_a_listener_that_takes_no_c_echo_from_us_is_there_all_the_same(
    start_archive: Open, tmp_path: Path, settings: dict[str, Any]
) -> None:
    if "dicom_tls_authorities" in settings:
        settings = {**settings, "dicom_tls_authorities": self_signed(tmp_path / "authority")[0]}
    archive = await start_archive(settings=settings)
    _, out, _ = await archive.charrua("status")
    assert "\ndicom     ok: " in out


async def test_a_listener_that_is_gone_fails_the_archive(open_archive: Open) -> None:
    app = await open_archive(settings={"dicom_port": 1})
    found = await listening.listener_answers(app)
    assert (found.works, found.vital) == (False, True)
