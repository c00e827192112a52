"""STOW-RS of metadata with bulk data: the object that is stored says what was sent, and nothing is fetched for it."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import asyncpg
import pydicom
import pytest
from pydicom.encaps import generate_frames

from charrua_core.archive.datasets.xmlmodel import to_xml
from charrua_core.testing.objects import a_study, an_object

STUDIES = "/dicom-web/studies"
JSON, XML = "application/dicom+json", "application/dicom+xml"


def metadata_of(image: Any, uri: str) -> dict[str, Any]:
    """The DICOM JSON of an object whose pixels are elsewhere."""
    told = image.to_json_dict()
    told["7FE00010"] = {"vr": "OW", "BulkDataURI": uri}
    return told


def says(image: Any) -> dict[str, Any]:
    told = image.to_json_dict()
    told.pop("00080005", None)
    return told | {"7FE00010": image.PixelData}


def body_of(*parts: tuple[str, str, bytes], end: bytes = b"--B--") -> bytes:
    """Parts of media type, Content-Location and content."""
    written = []
    for media, location, content in parts:
        where = f"Content-Location: {location}\r\n" if location else ""
        written.append(f"--B\r\nContent-Type: {media}\r\n{where}\r\n".encode() + content + b"\r\n")
    return b"".join(written) + end


async def stow(client: Any, body: bytes, kind: str = JSON) -> Any:
    content_type = f'multipart/related; type="{kind}"; boundary=B'
    return await client.post(STUDIES, content=body, headers={"Content-Type": content_type})


async def stored(archive) -> dict[str, Any]:
    """What is in the archive, read from its files."""
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        rows = await connection.fetch("SELECT path FROM core.instance")
    finally:
        await connection.close()
    images = [pydicom.dcmread(archive.data_dir / "volume-1" / row["path"]) for row in rows]
    return {image.SOPInstanceUID: image for image in images}


def spooled(archive) -> list[Path]:
    return [path for path in archive.data_dir.glob("volume-1/spool/*/*") if path.is_file()]


@pytest.mark.parametrize("kind", [JSON, XML])
async def test_objects_are_made_of_metadata_and_bulk_data(archive, browse, kind: str) -> None:
    images = a_study(images=3, PatientName="Núñez^Ana=山", SpecificCharacterSet="ISO_IR 192")
    told = [metadata_of(image, f"bulk/{number}") for number, image in enumerate(images)]
    documents = [json.dumps(told).encode()] if kind == JSON else [to_xml(one) for one in told]
    parts = [(kind, "", document) for document in documents]
    bulk = [("application/octet-stream", f"bulk/{n}", image.PixelData) for n, image in enumerate(images)]
    answer = await stow(await browse(), body_of(*parts, *reversed(bulk)), kind)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["00081199"]["Value"]) == 3
    found = await stored(archive)
    assert {uid: says(image) for uid, image in found.items()} == {image.SOPInstanceUID: says(image) for image in images}
    assert spooled(archive) == []


async def test_metadata_alone_is_an_object_too(archive, browse) -> None:
    client = await browse()
    image = an_object()
    told = image.to_json_dict()
    told["7FE00010"]["vr"] = "OW"
    document = json.dumps(told).encode()
    answer = await client.post(STUDIES, content=document, headers={"Content-Type": JSON})
    assert answer.status_code == 200, answer.text
    assert (await stored(archive))[image.SOPInstanceUID].PixelData == image.PixelData


def jpeg(process: int, predictor: int = 1) -> bytes:
    """The beginning of a JPEG stream of this process, and an odd number of bytes."""
    frame = bytes([0xFF, process]) + struct.pack(">HBHHBBBB", 11, 8, 8, 8, 1, 1, 0x11, 0)
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, predictor, 0, 0)
    return b"\xff\xd8\xff\xe0\0\4ab" + frame + scan + b"pixels\xff\xd9" + b"\0" * (len(frame + scan) & 1 ^ 1)


COMPRESSED = [
    ("image/jp2", [b"\xff\x4f one", b"\xff\x4f two."], "1.2.840.10008.1.2.4.90"),
    ("image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91", [b"\xff\x4f one"], "1.2.840.10008.1.2.4.91"),
    ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.5", [bytes(64)], "1.2.840.10008.1.2.5"),
    ("image/jpeg", [jpeg(0xC0)], "1.2.840.10008.1.2.4.50"),
    ("image/jpeg", [jpeg(0xC1)], "1.2.840.10008.1.2.4.51"),
    ("image/jpeg", [jpeg(0xC3, 1)], "1.2.840.10008.1.2.4.70"),
    ("image/jpeg", [jpeg(0xC3, 6)], "1.2.840.10008.1.2.4.57"),
    ("image/jpeg", [b"\xff\xd8"], "1.2.840.10008.1.2.4.70"),
    ("video/mp4", [b"a film"], "1.2.840.10008.1.2.4.102"),
]


async def test_compressed_frames_are_encapsulated_in_their_transfer_syntax(archive, browse) -> None:
    client, sent = await browse(), {}
    for media, frames, syntax in COMPRESSED:
        image = an_object(NumberOfFrames=len(frames))
        document = json.dumps([metadata_of(image, "pixels")]).encode()
        answer = await stow(client, body_of((JSON, "", document), *((media, "pixels", one) for one in frames)))
        assert answer.status_code == 200, answer.text
        sent[image.SOPInstanceUID] = (syntax, [one + b"\0" * (len(one) & 1) for one in frames])
    found = {
        uid: (
            image.file_meta.TransferSyntaxUID,
            list(generate_frames(image.PixelData, number_of_frames=image.NumberOfFrames)),
        )
        for uid, image in (await stored(archive)).items()
    }
    assert found == sent


def with_(**changes: Any) -> bytes:
    """Metadata with other elements, by tag after an underscore."""
    told = metadata_of(an_object(), "pixels")
    return json.dumps(told | {tag.strip("_"): element for tag, element in changes.items()}).encode()


PIXELS = ("application/octet-stream", "pixels", bytes(128))
REFUSED: dict[str, tuple[bytes, int]] = {
    "no JSON": (body_of((JSON, "", b"{"), PIXELS), 400),
    "JSON of another kind": (body_of((JSON, "", b'["a"]'), PIXELS), 400),
    "a VR that is none": (body_of((JSON, "", with_(_00100010={"vr": "XX"})), PIXELS), 400),
    "a value of another VR": (body_of((JSON, "", with_(_00280010={"vr": "US", "Value": ["x"]})), PIXELS), 400),
    "a value that does not fit": (body_of((JSON, "", with_(_00280010={"vr": "US", "Value": [70000]})), PIXELS), 409),
    "deep JSON": (body_of((JSON, "", b"[" * 100_000), PIXELS), 400),
    "deep sequences": (body_of((JSON, "", b'[{"00081140":{"vr":"SQ","Value":' * 200), PIXELS), 400),
    "long JSON": (body_of((JSON, "", b"[" + b" " * (17 << 20) + b"]")), 413),
    "an XML bomb": (body_of((XML, "", b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel>&b;</NativeDicomModel>')), 400),
    "no metadata": (body_of(PIXELS), 400),
    "no objects": (body_of((JSON, "", b"[]"), PIXELS), 400),
    "more objects than may be": (body_of((JSON, "", b"[" + b",".join([with_()] * 11) + b"]"), PIXELS), 413),
    "more parts than may be": (body_of((JSON, "", with_()), *[PIXELS] * 10), 413),
    "no UID": (body_of((JSON, "", with_(_00080018={"vr": "UI"})), PIXELS), 400),
    "bulk data that nobody names": (body_of((JSON, "", with_()), ("text/plain", "", b"x")), 400),
    "no bulk data": (body_of((JSON, "", with_())), 409),
    "another address": (body_of((JSON, "", with_()), ("application/octet-stream", "pixels2", b"x")), 409),
    "a file of the server": (
        body_of((JSON, "", with_(_7FE00010={"vr": "OW", "BulkDataURI": "file:///etc/passwd"}))),
        409,
    ),
    "an unknown transfer syntax": (
        body_of((JSON, "", with_()), ("image/jp2; transfer-syntax=1.2.3", "pixels", b"x")),
        409,
    ),
    "a syntax of whole data sets": (
        body_of((JSON, "", with_()), ("image/jp2; transfer-syntax=1.2.840.10008.1.2.1.99", "pixels", b"x")),
        409,
    ),
    "cut off": (body_of((JSON, "", with_()), PIXELS, end=b""), 400),
}


@pytest.mark.settings(stow_most_objects=10)
async def test_what_does_not_hold_together_is_refused_and_leaves_nothing(archive, browse) -> None:
    client = await browse()
    told = {name: (await stow(client, body)).status_code for name, (body, _) in REFUSED.items()}
    assert told == {name: status for name, (_, status) in REFUSED.items()}
    assert await stored(archive) == {}
    assert spooled(archive) == []


async def test_no_address_is_ever_fetched(browse) -> None:
    asked = []
    server = await asyncio.start_server(lambda _, writer: asked.append(writer.close()), "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/pixels"
        told = with_(_7FE00010={"vr": "OW", "BulkDataURI": url})
        answer = await stow(await browse(), body_of((JSON, "", told)))
    assert (answer.status_code, asked) == (409, [])
    assert answer.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC000]


async def test_one_object_that_cannot_be_made_keeps_no_other_out(archive, browse) -> None:
    good, bad = an_object(), an_object()
    document = json.dumps([metadata_of(bad, "none"), metadata_of(good, "pixels")]).encode()
    answer = await stow(await browse(), body_of((JSON, "", document), PIXELS))
    assert answer.status_code == 202
    assert list(await stored(archive)) == [good.SOPInstanceUID]
