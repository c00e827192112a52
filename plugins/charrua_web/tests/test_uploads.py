"""Uploads from browsers: many files in a request, large ones in pieces, archives, and what attacks and breaks leave."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from charrua_core.testing.objects import a_study, an_object, part10
from charrua_core.testing.outside import DATA, with_data
from charrua_core.testing.waiting import until
from charrua_web.uploads import limits, storing, sweeping


@asynccontextmanager
async def browser(served, role: str = "Radiologist", row_filter: Mapping[str, list[str]] | None = None):
    headers = {"Authorization": f"Bearer {await served.token(role, row_filter)}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=30, verify=False) as client:
        yield client


@pytest.fixture
async def page(serve_web):
    """The page of a radiologist, and the archive behind it."""
    served = await serve_web()
    async with browser(served) as client:
        client.app = served.app
        client.served = served
        yield client


def form(files: Sequence[tuple[str, bytes]]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", (name, content, "application/octet-stream")) for name, content in files]


async def sent_together(page, files: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
    answer = await page.post("/uploads/files", files=form(files))
    assert answer.status_code == 200, answer.text
    return [(one["name"], one["status"]) for one in answer.json()["results"]]


async def begun(page, content: bytes, key: str = "a", name: str = "images.zip") -> dict[str, Any]:
    answer = await page.post("/uploads", json={"name": name, "key": key, "size": len(content)})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def put(page, upload: Mapping[str, Any], content: Any, offset: int) -> httpx.Response:
    return await page.put(f"/uploads/{upload['id']}", content=content, headers={"Upload-Offset": str(offset)})


async def uploaded(page, content: bytes, key: str = "a") -> dict[str, Any]:
    """Send all in two pieces, and have it stored; give what is told of it."""
    upload = await begun(page, content, key)
    half = len(content) // 2
    assert (await put(page, upload, content[:half], 0)).json()["received"] == half
    assert (await put(page, upload, content[half:], half)).json()["state"] == "storing"
    await storing.store(page.app, {"upload": upload["id"]})
    return (await page.get(f"/uploads/{upload['id']}")).json()


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


async def stored(page) -> int:
    async with page.app.db.reading() as connection:
        return (await connection.execute(text("select count(*) from core.instance"))).scalar_one()


def left(app) -> list[str]:
    """The files of uploads that are on the volume, and of the spool."""
    root = app.volumes.current.root
    return [str(path) for path in (*root.glob("uploads/*"), *root.glob("spool/*/*")) if path.is_file()]


# -- many files in a request ---------------------------------------------------------------------------------------------
async def test_each_file_of_a_form_is_stored_or_told_why_not(page) -> None:
    images = a_study(images=2)
    broken = part10(an_object())[:-40]
    files = [
        ("IM1", part10(images[0])),
        ("folder/IM2.dcm", part10(images[1])),
        ("again.dcm", part10(images[0])),
        ("notes.txt", b"Remember the milk"),
        ("empty", b""),
        ("DICOMDIR", part10(an_object(SOPClassUID="1.2.840.10008.1.3.10"))),
        ("half.dcm", broken),
        ("odd.dcm", part10(an_object(SOPClassUID="1.2.3", SOPInstanceUID="1.2.abc"))),
    ]
    became = await sent_together(page, files)
    wanted = ["stored", "stored", "there", "skipped", "skipped", "skipped", "refused", "refused"]
    assert became == [(name, status) for (name, _), status in zip(files, wanted, strict=True)]
    assert await stored(page) == 2


async def test_a_form_tells_studies_and_reasons(page) -> None:
    image = an_object()
    answer = await page.post("/uploads/files", files=form([("a", part10(image)), ("ü.txt", b"text")]))
    first, second = answer.json()["results"]
    assert first == {"name": "a", "status": "stored", "study": image.StudyInstanceUID}
    assert second == {"name": "ü.txt", "status": "skipped", "reason": "This is no DICOM object."}


async def test_a_form_that_is_cut_off_leaves_what_came_whole(page) -> None:
    whole, cut = part10(an_object()), part10(an_object())
    request = page.build_request("POST", "/uploads/files", files=form([("a", whole), ("b", cut)]))
    body = request.read()[:-60]
    headers = {"Content-Type": request.headers["content-type"]}
    assert (await page.post("/uploads/files", content=body, headers=headers)).status_code == 400
    assert await stored(page) == 1
    assert not left(page.app)


@pytest.mark.parametrize("role", ["Referring", "General"])
async def test_only_who_may_store_uploads(page, role) -> None:
    async with browser(page.served, role) as other:
        assert (await other.post("/uploads/files", files=form([("a", part10(an_object()))]))).status_code == 403
        assert (await other.post("/uploads", json={"key": "a", "size": 1})).status_code == 403


async def test_a_form_has_its_limits(page) -> None:
    many = form([("a", b"x")] * (limits.MOST_IN_BATCH + 1))
    assert (await page.post("/uploads/files", files=many)).status_code == 413
    assert (await page.post("/uploads/files", content=b"x")).status_code == 415


async def test_a_full_volume_is_told_as_such(serve_web) -> None:
    served = await serve_web({"storage_reserve_bytes": 1 << 60})
    async with browser(served) as page:
        assert (await page.post("/uploads/files", files=form([("a", part10(an_object()))]))).status_code == 507
        assert (await page.post("/uploads", json={"key": "a", "size": 10})).status_code == 507


# -- large files in pieces -----------------------------------------------------------------------------------------------
async def test_a_large_file_arrives_in_pieces_and_is_stored(page) -> None:
    image = an_object(Rows=64, Columns=64, PixelData=bytes(8192))
    told = await uploaded(page, part10(image))
    assert (told["state"], told["results"]["numbers"]) == ("done", {"stored": 1})
    assert told["results"]["studies"] == {image.StudyInstanceUID: 1}
    assert not left(page.app)


async def test_an_upload_goes_on_where_its_connection_broke(page) -> None:
    content = part10(an_object(Rows=64, Columns=64, PixelData=bytes(8192)))
    upload = await begun(page, content)

    async def breaks_off():
        yield content[:3000]
        await asyncio.sleep(0.3)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await put(page, upload, breaks_off(), 0)

    async def acknowledged() -> bool:
        return (await begun(page, content))["received"] == 3000

    await until(acknowledged)
    again = await begun(page, content)
    assert again["id"] == upload["id"]
    assert (await put(page, upload, content[3000:], 3000)).json()["state"] == "storing"
    await storing.store(page.app, {"upload": upload["id"]})
    assert await stored(page) == 1


async def test_bytes_are_taken_from_where_they_are_missing(page) -> None:
    content = part10(an_object())
    upload = await begun(page, content)
    await put(page, upload, content[:500], 0)
    too_far = await put(page, upload, content[600:], 600)
    assert (too_far.status_code, too_far.headers["upload-offset"]) == (409, "500")
    assert (await put(page, upload, content[400:600], 400)).json()["received"] == 600
    assert (await put(page, upload, content[600:] + b"x", 600)).status_code == 413
    assert (await put(page, upload, b"", "far")).status_code == 400  # type: ignore[arg-type]
    assert (await put(page, upload, content[600:], 600)).json()["state"] == "storing"
    assert (await put(page, upload, content[600:], 600)).status_code == 409


async def test_an_upload_is_its_users_own(page) -> None:
    upload = await begun(page, b"x" * 10)
    async with browser(page.served) as other:
        for call in (other.get, other.delete):
            assert (await call(f"/uploads/{upload['id']}")).status_code == 404
        assert (await put(other, upload, b"x", 0)).status_code == 404
        assert (await other.get("/uploads")).json() == {"uploads": []}
        assert (await begun(other, b"x" * 10))["id"] != upload["id"]
    assert [one["id"] for one in (await page.get("/uploads")).json()["uploads"]] == [upload["id"]]


async def test_a_stopped_upload_is_forgotten(page) -> None:
    upload = await begun(page, b"x" * 10)
    await put(page, upload, b"xxx", 0)
    assert left(page.app)
    assert (await page.delete(f"/uploads/{upload['id']}")).status_code == 204
    assert not left(page.app)
    assert (await put(page, upload, b"xxx", 0)).status_code == 404
    assert (await page.get("/uploads/none")).status_code == 404


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"key": "a"},
        {"key": "a", "size": 0},
        {"key": "a", "size": "1"},
        {"key": "a", "size": True},
        {"key": "../a", "size": 1},
        {"key": "a", "size": 1, "name": 7},
        [],
    ],
)
async def test_what_begins_an_upload_is_checked(page, told) -> None:
    assert (await page.post("/uploads", json=told)).status_code == 400


async def test_uploads_have_their_limits(serve_web) -> None:
    served = await serve_web({"upload_most_unfinished": 2, "upload_most_bytes": 1 << 20})
    async with browser(served) as page:
        assert (await page.post("/uploads", json={"key": "a", "size": (1 << 20) + 1})).status_code == 413
        for key, status in (("a", 201), ("b", 201), ("c", 429), ("b", 200)):
            assert (await page.post("/uploads", json={"key": key, "size": 5})).status_code == status
        assert (await page.post("/uploads", json={"key": "b", "size": 6})).status_code == 409


async def test_what_nobody_goes_on_with_is_removed_after_a_while(page) -> None:
    old, new = await begun(page, b"x" * 10, "old"), await begun(page, b"x" * 10, "new")
    for upload in (old, new):
        await put(page, upload, b"xxx", 0)
    orphan = page.app.volumes.current.upload_path("0" * 32)
    orphan.write_bytes(b"of nobody")
    long_ago = datetime.now(UTC) - timedelta(days=2)
    for name in (old["id"].replace("-", ""), "0" * 32):
        os.utime(page.app.volumes.current.upload_path(name), (long_ago.timestamp(),) * 2)
    async with page.app.db.transaction() as tx:
        await tx.execute(text("update core.upload set changed_at = :at where key = 'old'"), {"at": long_ago})
    await sweeping.sweep(page.app)
    assert [path.rpartition("/")[2] for path in left(page.app)] == [new["id"].replace("-", "")]
    assert [one["key"] for one in (await page.get("/uploads")).json()["uploads"]] == ["new"]


# -- archives ------------------------------------------------------------------------------------------------------------
async def test_an_archive_is_unpacked_and_what_is_no_image_passed_over(page) -> None:
    images = a_study(images=3)
    inner = zipped({"deep/er/IM3": part10(images[2])})
    files = {
        "CD/DICOM/IM1": part10(images[0]),
        "CD/DICOM/ÄÖ/IM2": part10(images[1]),
        "CD/DICOMDIR": b"x",
        "CD/autorun.inf": b"[autorun]",
        "CD/": b"",
        "__MACOSX/CD/._IM1": b"x",
        "more.zip": inner,
        "../../etc/passwd": part10(images[0]),
    }
    told = await uploaded(page, zipped(files))
    assert (told["state"], told["results"]["numbers"]) == ("done", {"stored": 3, "skipped": 2, "there": 1})
    assert told["results"]["studies"] == {images[0].StudyInstanceUID: 4}
    assert [(one["name"], one["status"]) for one in told["results"]["told"]] == [
        ("CD/DICOMDIR", "skipped"),
        ("CD/autorun.inf", "skipped"),
    ]
    assert not left(page.app)


async def test_storing_goes_on_where_it_was_cut_off(page, monkeypatch) -> None:
    monkeypatch.setattr(storing, "NOTED_AFTER", 2)
    images = a_study(images=6)
    content = zipped({f"IM{number}": part10(image) for number, image in enumerate(images)})
    upload = await begun(page, content)
    await put(page, upload, content, 0)
    kept, noted = storing.rows.keep, []

    async def dies_at_the_second(*args: Any, **kwargs: Any) -> bool:
        noted.append(args)
        if len(noted) == 2:
            raise asyncio.CancelledError
        return await kept(*args, **kwargs)

    monkeypatch.setattr(storing.rows, "keep", dies_at_the_second)
    with pytest.raises(asyncio.CancelledError):
        await storing.store(page.app, {"upload": upload["id"]})
    assert (await page.get(f"/uploads/{upload['id']}")).json()["files"] == 2
    await storing.store(page.app, {"upload": upload["id"]})
    numbers = (await page.get(f"/uploads/{upload['id']}")).json()["results"]["numbers"]
    assert numbers == {"stored": 4, "there": 2}


async def test_storing_ends_when_the_upload_is_stopped(page, monkeypatch) -> None:
    monkeypatch.setattr(storing, "NOTED_AFTER", 1)
    content = zipped({f"IM{number}": part10(image) for number, image in enumerate(a_study(images=5))})
    upload = await begun(page, content)
    await put(page, upload, content, 0)
    kept = storing.rows.keep

    async def after_a_stop(*args: Any, **kwargs: Any) -> bool:
        await page.delete(f"/uploads/{upload['id']}")
        return await kept(*args, **kwargs)

    monkeypatch.setattr(storing.rows, "keep", after_a_stop)
    await storing.store(page.app, {"upload": upload["id"]})
    assert await stored(page) == 1
    assert not left(page.app)


def protected() -> bytes:
    content = bytearray(zipped({"IM": part10(an_object())}))
    for at in (6, content.rindex(b"PK\1\2") + 8):
        content[at] |= 1
    return bytes(content)


def lying(archive: bytes, size: int) -> bytes:
    """Have the directory say another size of what an entry unpacks to."""
    content = bytearray(archive)
    at = content.rindex(b"PK\1\2")
    struct.pack_into("<L", content, at + 24, size)
    return bytes(content)


def overlapping(files: int) -> bytes:
    """An archive whose entries are all the same bytes (D. Fifield, 2019, in its simplest form)."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    plain = part10(an_object())[:-2] + bytes(1 << 20)
    packed = kernel.compress(plain) + kernel.flush()
    local = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 0, 8, 0, 0, zlib.crc32(plain), len(packed), len(plain), 1, 0)
    body = local + b"x" + packed
    entry = struct.pack(
        "<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 20, 20, 0, 8, 0, 0, zlib.crc32(plain), len(packed), len(plain), 1, *[0] * 6
    )
    directory = (entry + b"x") * files
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, files, files, len(directory), len(body), 0)
    return body + directory + end


@pytest.mark.parametrize(
    ("archive", "state", "numbers"),
    [
        (zipped({"a": b"x"})[:-30], "failed", {}),
        (protected(), "done", {"refused": 1}),
        (zipped({"IM": part10(an_object())}, zipfile.ZIP_BZIP2), "done", {"refused": 1}),
        (lying(zipped({"IM": part10(an_object())}), 100), "done", {"refused": 1}),
        (zipped({"a": zipped({"b": zipped({"c": zipped({"d": b""})})})}), "done", {"refused": 1}),
        (zipped({"a.zip": zipped({"b": b"text"})[:-30]}), "done", {"refused": 1}),
        (zipped({}), "done", {}),
    ],
    ids=["cut", "password", "method", "short", "deep", "inner", "empty"],
)
async def test_archives_that_cannot_be_unpacked_are_told(page, archive, state, numbers) -> None:
    told = await uploaded(page, archive)
    assert (told["state"], told["results"].get("numbers", {})) == (state, numbers)
    assert bool(told["error"]) == (state == "failed")
    assert await stored(page) == 0
    assert not left(page.app)


BOMBS: Mapping[str, Callable[[], bytes]] = {
    "one that unpacks to much": lambda: zipped({"IM": part10(an_object(PixelData=bytes(64 << 20)))}),
    "overlapping entries": lambda: overlapping(100),
    "one within another": lambda: zipped({"a.zip": zipped({"IM": bytes(40 << 20)})}),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_bombs_are_refused_by_what_they_unpack_to(page, monkeypatch, bomb) -> None:
    monkeypatch.setattr("charrua_web.uploads.contents.UNPACKED_AT_LEAST", 1 << 20)
    monkeypatch.setattr("charrua_web.uploads.contents.MOST_RATIO", 20)
    told = await uploaded(page, BOMBS[bomb]())
    assert (
        told["state"] == "failed" or "skipped" in told["results"]["numbers"] or "refused" in told["results"]["numbers"]
    )
    assert not left(page.app)


async def test_an_archive_of_too_many_files_is_refused(serve_web) -> None:
    served = await serve_web({"upload_most_files": 10})
    async with browser(served) as page:
        page.app = served.app
        told = await uploaded(page, zipped({f"{number}": b"x" for number in range(11)}))
        assert (told["state"], "more files" in told["error"]) == ("failed", True)


async def test_a_directory_larger_than_any_real_one_is_not_read(page, monkeypatch) -> None:
    monkeypatch.setattr("charrua_web.uploads.contents.LARGEST_DIRECTORY", 64 << 10)
    told = await uploaded(page, zipped({f"{number:0200}": b"x" for number in range(1000)}))
    assert (told["state"], "directory" in told["error"]) == ("failed", True)


async def test_a_failing_volume_has_the_storing_tried_again(page, monkeypatch) -> None:
    content = zipped({"IM": part10(an_object())})
    upload = await begun(page, content)
    await put(page, upload, content, 0)
    reserve = page.app.settings["storage_reserve_bytes"]
    monkeypatch.setattr(page.app.volumes, "_settings", {"storage_reserve_bytes": 1 << 60})
    page.app.volumes.current._enough_until = 0.0
    with pytest.raises(Exception, match="reserve"):
        await storing.store(page.app, {"upload": upload["id"]})
    told = (await page.get(f"/uploads/{upload['id']}")).json()
    assert (told["state"], "reserve" in told["error"], told["files"]) == ("storing", True, 0)
    monkeypatch.setattr(page.app.volumes, "_settings", {"storage_reserve_bytes": reserve})
    page.app.volumes.current._enough_until = 0.0
    await storing.store(page.app, {"upload": upload["id"]})
    told = (await page.get(f"/uploads/{upload['id']}")).json()
    assert (told["state"], told["error"], await stored(page)) == ("done", "", 1)


# -- real files ----------------------------------------------------------------------------------------------------------
@with_data
async def test_real_files_go_in_and_broken_ones_are_told(page) -> None:
    series = [(path.name, path.read_bytes()) for path in sorted((DATA / "series" / "mr-16").glob("*.dcm"))]
    assert {status for _, status in await sent_together(page, series)} == {"stored"}
    broken = [(path.name, path.read_bytes()) for path in sorted((DATA / "malformed").glob("*")) if path.is_file()]
    answer = await page.post("/uploads/files", files=form(broken))
    assert answer.status_code == 200
    for one in answer.json()["results"]:
        assert one["status"] in ("stored", "there", "beside") or one["reason"].endswith("."), one
    assert not left(page.app)
