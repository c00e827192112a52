"""STOW-RS at the real socket: every form of body, what is answered, and what an attack or a broken connection leaves."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from blake3 import blake3
from pydicom.uid import DeflatedExplicitVRLittleEndian

from charrua_core.archive.datasets.xmlmodel import from_xml
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study, an_object, part10

RELATED = 'multipart/related; type="application/dicom"; boundary=B'
STUDIES = "/dicom-web/studies"
STORED, FAILED, OTHERS, REASON = "00081199", "00081198", "0008119A", "00081197"


def related(
    *contents: bytes, part: bytes = b"Content-Type: application/dicom\r\n", end: bytes = b"\r\n--B--\r\n"
) -> bytes:
    return b"\r\n".join(b"--B\r\n%b\r\n%b" % (part, content) for content in contents) + end


async def stow(client: Any, body: Any, content_type: str = RELATED, path: str = STUDIES, **headers: str) -> Any:
    return await client.post(path, content=body, headers={"Content-Type": content_type, **headers})


def references(answer: Any, tag: str = STORED) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.json().get(tag, {}).get("Value", [])]


def reasons(answer: Any, tag: str) -> list[int]:
    return [item[REASON]["Value"][0] for item in answer.json().get(tag, {}).get("Value", [])]


async def query(archive, statement: str) -> list[Any]:
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def kept(archive) -> dict[str, bytes]:
    """The digests of what is in the index, by SOP Instance UID."""
    rows = await query(archive, "SELECT sop_instance_uid, dataset_digest FROM core.instance")
    return {row["sop_instance_uid"]: row["dataset_digest"] for row in rows}


def digests(images: Sequence[Any]) -> dict[str, bytes]:
    return {image.SOPInstanceUID: blake3(received_of(image).data_set).digest() for image in images}


def spooled(archive) -> list[Path]:
    return [path for path in archive.data_dir.glob("volume-1/spool/*/*") if path.is_file()]


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    for _ in range(int(timeout_s / 0.02)):
        if condition():
            return True
        await asyncio.sleep(0.02)
    return False


# -- what is stored ------------------------------------------------------------------------------------------------------
async def test_a_study_is_stored_and_told_where_it_is(archive, browse) -> None:
    images = a_study(series=2, images=3)
    answer = await stow(await browse(), related(*map(part10, images)))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    assert references(answer) == [image.SOPInstanceUID for image in images]
    study = f"{archive.url}/dicom-web/studies/{images[0].StudyInstanceUID}"
    assert answer.json()["00081190"] == {"vr": "UR", "Value": [study]}
    first = answer.json()[STORED]["Value"][0]["00081190"]["Value"][0]
    assert first == f"{study}/series/{images[0].SeriesInstanceUID}/instances/{images[0].SOPInstanceUID}"
    assert await kept(archive) == digests(images)


def without_meta(image: Any) -> bytes:
    return received_of(image).data_set


def with_another_meta(image: Any) -> bytes:
    """As those write who anonymise the data set alone."""
    uid = image.SOPInstanceUID.encode()
    content = part10(image)
    assert content.count(uid) == 2
    return content.replace(uid, b"9" * len(uid), 1)


def with_a_wrong_group_length(image: Any) -> bytes:
    content = part10(image)
    return content[:140] + struct.pack("<L", 7) + content[144:]


FORMS = {
    "one part": (lambda image: related(part10(image)), RELATED),
    "no media type at the part": (lambda image: related(part10(image), part=b""), RELATED),
    "a length at the part": (lambda image: related(part10(image), part=b"Content-Length: 1\r\n"), RELATED),
    "no type": (lambda image: related(part10(image)), "multipart/related; boundary=B"),
    "a quoted boundary": (lambda image: related(part10(image)), RELATED.replace("=B", '="B"')),
    "lines end with LF": (lambda image: b"--B\n\n%b\n--B--\n" % part10(image), RELATED),
    "preamble and epilogue": (lambda image: b"a\r\n\r\n%b\r\nz" % related(part10(image)), RELATED),
    "no multipart": (part10, "application/dicom"),
    "without file meta group": (lambda image: related(received_of(image).data_set), RELATED),
    "the UID of another object in its meta": (lambda image: related(with_another_meta(image)), RELATED),
    "a wrong length of its meta": (lambda image: related(with_a_wrong_group_length(image)), RELATED),
}


@pytest.mark.parametrize("path", [STUDIES, "/stow-rs/studies/"])
async def test_every_form_of_body_is_taken(archive, browse, path: str) -> None:
    client, told, sent = await browse(), {}, {}
    for name, (write, content_type) in FORMS.items():
        image = an_object(Rows=200, Columns=300, PixelData=bytes(120_000))
        answer = await stow(client, write(image), content_type, path)
        told[name] = (answer.status_code, references(answer) == [image.SOPInstanceUID])
        assert "/dicom-web/studies/" in answer.json()["00081190"]["Value"][0]
        sent |= digests([image])
    assert told == dict.fromkeys(FORMS, (200, True))
    assert await kept(archive) == sent


async def test_the_same_objects_again_are_a_success(archive, browse) -> None:
    client, images = await browse(), a_study(images=3)
    for _ in range(2):
        answer = await stow(client, related(*map(part10, images)))
        assert (answer.status_code, len(references(answer))) == (200, 3)
    assert await kept(archive) == digests(images)


async def test_what_cannot_be_stored_is_named_beside_what_is(archive, browse) -> None:
    good, cut = an_object(), an_object(Rows=100, Columns=100, PixelData=bytes(20_000))
    odd = an_object(SOPClassUID="1.2.840.10008.5.1.4.31")
    answer = await stow(await browse(), related(b"no DICOM", part10(cut)[:-100], part10(good), part10(odd), b""))
    assert answer.status_code == 202
    assert references(answer) == [good.SOPInstanceUID]
    assert references(answer, FAILED) == [cut.SOPInstanceUID, odd.SOPInstanceUID]
    assert reasons(answer, FAILED) == [0xC000, 0x0122]
    assert reasons(answer, OTHERS) == [0xC000, 0xC000]
    assert await kept(archive) == digests([good])
    assert spooled(archive) == []


async def test_objects_of_another_study_are_refused(archive, browse) -> None:
    client, right, wrong = await browse(), an_object(), an_object()
    path = f"{STUDIES}/{right.StudyInstanceUID}"
    answer = await stow(client, related(part10(wrong)), path=path)
    assert (answer.status_code, reasons(answer, FAILED)) == (409, [0xA900])
    answer = await stow(client, related(part10(wrong), part10(right)), path=path)
    assert (answer.status_code, references(answer), references(answer, FAILED)) == (
        202,
        [right.SOPInstanceUID],
        [wrong.SOPInstanceUID],
    )
    assert await kept(archive) == digests([right])


@pytest.mark.settings(accept_empty_patient_id="accept", accept_empty_patient_name="refuse")
async def test_what_the_archive_changes_or_refuses_by_rule_is_told(browse) -> None:
    client = await browse()
    answer = await stow(client, related(part10(an_object(PatientID=""))))
    assert answer.status_code == 202
    [item] = answer.json()[STORED]["Value"]
    assert item["00081196"] == {"vr": "US", "Value": [0xB000]}
    [original] = item["04000561"]["Value"]
    assert original["04000550"]["Value"] == [{"00100020": {"vr": "LO"}}]
    assert original["04000565"] == {"vr": "CS", "Value": ["COERCE"]}
    answer = await stow(client, related(part10(an_object(PatientName=""))))
    assert (answer.status_code, reasons(answer, FAILED)) == (409, [0xA900])


async def test_who_may_not_store_cannot_and_stores_are_in_the_trail(archive, browse) -> None:
    image = an_object()
    assert (await stow(await browse("Referring"), related(part10(image)))).status_code == 403
    assert (await stow(await browse(None), related(part10(image)))).status_code == 401
    assert await kept(archive) == {}
    outside = await browse("Radiologist", {"Modality": ["US"]})
    answer = await stow(outside, related(part10(image), b"none"))
    assert (answer.status_code, references(answer)) == (202, [image.SOPInstanceUID])
    await archive.run("settled")
    trail = await query(
        archive, "SELECT event, who, succeeded, detail FROM core.audit WHERE event IN ('110102', '110104')"
    )
    assert [(row["event"], row["who"], row["succeeded"]) for row in trail] == [
        ("110102", "radiologist2", True),
        ("110104", "radiologist2", False),
    ]


# -- several at once, and breaking off -----------------------------------------------------------------------------------
async def test_two_clients_that_store_the_same_objects_at_once_store_them_once(archive, browse) -> None:
    images = a_study(series=2, images=20)
    body = related(*map(part10, images))
    clients = [await browse(), await browse(), await browse("Manager")]
    answers = await asyncio.gather(*(stow(client, body) for client in clients))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert await kept(archive) == digests(images)
    assert [row["instance_count"] for row in await query(archive, "SELECT instance_count FROM core.study")] == [40]
    assert len(list(archive.data_dir.glob("volume-1/2*/**/*.dcm"))) == 40


async def connection_of(archive, client, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which the head of a store is sent."""
    host, port = archive.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {STUDIES} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nContent-Type: {RELATED}\r\n"
    writer.write(f"{head}Authorization: {client.headers['authorization']}\r\n\r\n".encode())
    return reader, writer


async def test_a_connection_that_breaks_anywhere_leaves_whole_objects_only(archive, browse) -> None:
    client, kept_so_far = await browse(), {}
    for number in range(12):
        images = a_study(images=3, Rows=100, Columns=200, PixelData=bytes(40_000))
        body = related(*map(part10, images))
        cut = len(body) * number // 12
        _, writer = await connection_of(archive, client, len(body))
        writer.write(body[:cut])
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        whole = body[:cut].count(b"\r\n--B\r\n")
        kept_so_far |= digests(images[:whole])
    assert len(kept_so_far) > 8
    assert await until(lambda: not spooled(archive))
    assert await kept(archive) == kept_so_far


@pytest.mark.settings(web_stall="1s")
async def test_a_client_that_stops_sending_is_told_so_and_whole_objects_stay(archive, browse) -> None:
    images = a_study(images=2)
    body = related(*map(part10, images))
    reader, writer = await connection_of(archive, await browse(), len(body))
    writer.write(body[:-300])
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert await kept(archive) == digests(images[:1])
    assert spooled(archive) == []


@pytest.mark.parametrize("point", ["after_write", "after_rename", "before_commit", "after_commit", "before_reply"])
async def test_what_was_answered_outlives_a_kill(start_archive, point: str) -> None:
    archive = await start_archive(env={"CHARRUA_FAULT": f"{point}:9:kill"})
    token = await archive.token()
    import httpx

    acknowledged: list[str] = []
    images = a_study(images=60)
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, verify=False
    ) as client:
        for at in range(0, 60, 3):
            try:
                answer = await stow(client, related(*map(part10, images[at : at + 3])))
            except httpx.HTTPError:
                break
            acknowledged += references(answer)
    assert await until(lambda: not archive.runs)
    await archive.kill()
    archive.environment.pop("CHARRUA_FAULT")
    await archive.start()
    found, sent = await kept(archive), digests(images)
    assert set(acknowledged) <= set(found)
    assert found.items() <= sent.items()
    assert spooled(archive) == []


async def test_a_server_that_stops_ends_what_it_has_begun_to_store(archive, browse) -> None:
    images = a_study(images=40)
    body = related(*map(part10, images))
    reader, writer = await connection_of(archive, await browse(), len(body))
    writer.write(body)
    await writer.drain()
    await asyncio.sleep(0.02)
    assert await archive.stop() == 0
    found = await kept(archive)
    assert found.items() <= digests(images).items()
    assert spooled(archive) == []
    if b" 200 " in await reader.readline():
        assert len(found) == 40
    writer.close()


# -- attacks -------------------------------------------------------------------------------------------------------------
def deflated(pixels: bytes) -> bytes:
    """A Part 10 file whose data set grows a thousandfold when it is inflated."""
    image = an_object(Rows=1, Columns=1, PixelData=b"\0\0")
    data = (
        received_of(image).data_set.removesuffix(struct.pack("<L", 2) + b"\0\0")
        + struct.pack("<L", len(pixels))
        + pixels
    )
    squeezer = zlib.compressobj(9, wbits=-15)
    head = part10(an_object(transfer_syntax=DeflatedExplicitVRLittleEndian, SOPInstanceUID=image.SOPInstanceUID))
    end = 144 + struct.unpack_from("<L", head, 140)[0]
    return head[:end] + squeezer.compress(data) + squeezer.flush()


def lying(length: int) -> bytes:
    """Pixel Data that says it is longer than the part."""
    content = part10(an_object(PixelData=b"\1" * 128))
    return content[:-132] + struct.pack("<L", length) + content[-128:]


def nested(depth: int) -> bytes:
    """Sequences in each other, of undefined lengths."""
    begin = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    content = part10(an_object())
    at = content.index(b"\x08\0\x60\0CS")
    return content[:at] + begin * depth + content[at:]


IMAGE = part10(an_object())
ATTACKS: dict[str, tuple[bytes, dict[str, str], int]] = {
    "nothing": (b"", {}, 400),
    "no parts": (b"--B--", {}, 400),
    "more parts than may be": (related(*[b"x"] * 10_000), {}, 413),
    "parts of nothing": (related(*[b""] * 100), {}, 400),
    "a part without end": (related(IMAGE, end=b""), {}, 400),
    "no boundary": (related(IMAGE), {"content_type": 'multipart/related; type="application/dicom"'}, 400),
    "another boundary": (related(IMAGE), {"content_type": "multipart/related; boundary=C"}, 400),
    "a boundary too long": (related(IMAGE), {"content_type": f"multipart/related; boundary={'B' * 71}"}, 400),
    "a header bomb": (related(IMAGE, part=b"A: b\r\n" * 100_000), {}, 400),
    "a header line without end": (related(IMAGE, part=b"A: " + b"b" * 1_000_000), {}, 400),
    "a preamble without end": (b"x\r\n" * 1_000_000, {}, 400),
    "compressed": (zlib.compress(related(IMAGE)), {"Content-Encoding": "gzip"}, 415),
    "an unknown encoding": (related(IMAGE), {"Content-Encoding": "br"}, 415),
    "another media type": (b"{}", {"content_type": "application/json"}, 415),
    "parts of another media type": (
        related(IMAGE),
        {"content_type": "multipart/related; type=image/png; boundary=B"},
        415,
    ),
    "no media type": (related(IMAGE), {"content_type": ""}, 415),
    "no media type at all": (related(IMAGE), {"content_type": "/;;"}, 400),
    "an answer that is not given": (related(IMAGE), {"Accept": "image/png"}, 406),
    "too many bytes": (related(bytes(5 << 20)), {}, 413),
    "an object too large": (related(part10(an_object(PixelData=bytes(1 << 20)))), {}, 413),
    "lying lengths": (related(lying(1 << 31), lying(0xFFFFFFFF), lying(130)), {}, 409),
    "cut off at every place": (related(*[IMAGE[:-at] for at in range(1, 130, 29)]), {}, 409),
    "sequences without end": (related(nested(300)), {}, 409),
    "no UID": (related(part10(an_object(SOPInstanceUID="../../x"))), {}, 400),
}


@pytest.mark.settings(stow_most_objects=100, stow_most_bytes=4 << 20, dicom_max_object_bytes=1 << 20)
async def test_every_attack_has_its_status_and_leaves_nothing(archive, browse) -> None:
    client, told = await browse(), {}
    for name, (body, headers, _) in ATTACKS.items():
        answer = await stow(client, body, **{"content_type": RELATED, **headers})
        told[name] = answer.status_code
    assert told == {name: status for name, (_, _, status) in ATTACKS.items()}
    assert await kept(archive) == {}
    assert spooled(archive) == []
    assert list(archive.data_dir.glob("volume-1/2*/**/*.dcm")) == []


@pytest.mark.settings(stow_most_bytes=16 << 20)
async def test_a_body_without_end_is_broken_off(archive, browse) -> None:
    client, image = await browse(), an_object()
    host, port = archive.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {STUDIES} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Type: {RELATED}\r\n"
    writer.write(f"{head}Authorization: {client.headers['authorization']}\r\n\r\n".encode())

    async def send_for_ever() -> None:
        begin = related(part10(image), part10(an_object()), end=b"")
        writer.write(b"%x\r\n%b\r\n" % (len(begin), begin))
        while True:
            writer.write(b"%x\r\n%b\r\n" % (1 << 16, bytes(1 << 16)))
            await writer.drain()

    sending = asyncio.create_task(send_for_ever())
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
    with suppress(ConnectionError):
        await asyncio.wait_for(sending, 10)
    assert await kept(archive) == digests([image])
    assert await until(lambda: not spooled(archive))


async def test_a_deflated_bomb_is_kept_as_it_is_and_takes_no_memory(archive, browse) -> None:
    client, bomb = await browse(), deflated(bytes(300 << 20))
    await stow(client, related(part10(an_object())))
    before = resident_bytes(archive.process.pid)
    answer = await stow(client, related(bomb))
    assert answer.status_code == 200
    assert resident_bytes(archive.process.pid, "VmHWM:") - before < 48 << 20
    assert len(await kept(archive)) == 2


async def test_an_object_of_hundreds_of_megabytes_takes_no_memory(archive, browse) -> None:
    client, content, length = await browse(), part10(an_object()), 300 << 20
    head = content[:-132] + struct.pack("<L", length)
    await stow(client, related(part10(an_object())))

    async def body() -> AsyncIterator[bytes]:
        yield related(head, end=b"")
        for _ in range(300):
            yield bytes(1 << 20)
        yield b"\r\n--B--"

    before = resident_bytes(archive.process.pid)
    assert (await stow(client, body())).status_code == 200
    assert resident_bytes(archive.process.pid, "VmHWM:") - before < 32 << 20


def resident_bytes(pid: int, name: str = "VmRSS:") -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("/proc tells it")
    return next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith(name))


@pytest.mark.settings(storage_reserve_bytes=1 << 50)
async def test_a_full_volume_is_told_for_every_object(archive, browse) -> None:
    answer = await stow(await browse(), related(IMAGE, part10(an_object())))
    assert (answer.status_code, reasons(answer, FAILED)) == (507, [0xA700, 0xA700])
    assert spooled(archive) == []


@pytest.mark.parametrize("form", ["application/dicom+json", "application/dicom+xml", "application/json"])
async def test_the_answer_comes_in_the_form_that_is_wanted(browse, form: str) -> None:
    image = an_object()
    answer = await stow(await browse(), related(part10(image), b"none"), Accept=form)
    assert (answer.status_code, answer.headers["content-type"]) == (202, form)
    told = from_xml(answer.content) if "xml" in form else answer.json()
    assert told[STORED]["Value"][0]["00081155"]["Value"] == [image.SOPInstanceUID]
    assert told[OTHERS]["Value"][0][REASON]["Value"] == [0xC000]
