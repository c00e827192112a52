"""What is measured of HTTP, and what `/health` tells whom."""

from __future__ import annotations

from typing import Any

from charrua_core.testing.objects import an_object, part10
from charrua_core.testing.running import Archive
from charrua_core.testing.waiting import until


async def test_requests_and_uploads_are_counted_by_route_and_outcome(archive: Archive, browse: Any) -> None:
    client = await browse()
    await client.get("/health")
    assert (await client.get("/dicom-web/studies/1.2.3")).status_code == 404
    uploaded = await client.post(
        "/dicom-web/studies", content=part10(an_object()), headers={"Content-Type": "application/dicom"}
    )
    assert uploaded.status_code == 200

    async def all_are_told() -> bool:
        return bool((await archive.measured()).get("charrua_http_requests_total", method="POST"))

    await until(all_are_told, 20)
    told = await archive.measured()
    assert told.get("charrua_http_requests_total", method="GET", route="/health", status="2xx") == 1
    assert told.get("charrua_http_requests_total", status="4xx") == 1
    assert told.get("charrua_http_requests_total", method="POST", status="2xx") == 1
    assert told.get("charrua_http_request_seconds_count", method="POST") == 1
    assert told.get("charrua_objects_received_total", transfer="web", outcome="stored") == 1
    assert told.get("charrua_log_ins_total", scheme="bearer", outcome="ok") == 1
    assert "1.2.3" not in await archive.run("metrics")


async def test_health_is_a_word_for_anybody_and_sentences_for_who_configures(browse: Any) -> None:
    anybody, referring, admin = await browse(None), await browse("Referring"), await browse()
    assert (await anybody.get("/health")).json() == {"status": "ok"}
    assert (await referring.get("/health")).json() == {"status": "ok"}
    told = (await admin.get("/health")).json()
    assert told["status"] == "ok"
    assert {"database", "volume 1", "dicom", "jobs", "audit"} <= {one["name"] for one in told["findings"]}


async def test_health_is_503_where_the_archive_cannot_do_its_work(archive: Archive, browse: Any) -> None:
    client = await browse(None)
    (archive.data_dir / "volume-1" / "charrua-volume.txt").unlink()

    async def fails() -> bool:
        answer = await client.get("/health")
        return (answer.status_code, answer.json()) == (503, {"status": "failing"})

    await until(fails, 10)
