"""Real objects, routed to receivers that others have written, in the transfer syntax that the rule asks for."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydicom import dcmread

from charrua_core.testing.devices import Modality
from charrua_core.testing.outside import DATA, dcmtk, program, storescp, with_data, with_dcmtk
from charrua_core.testing.running import Archive
from charrua_core.testing.waiting import until
from charrua_core.types import Peer

J2K_LOSSLESS, JPEG_LOSSLESS, BASELINE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.50"
NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
MOST_BYTES = 2_000_000


def images() -> dict[str, Path]:
    """A native image of each modality there is, by SOP Instance UID."""
    found = {}
    for folder in sorted((DATA / "modality").iterdir()):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.stat().st_size < MOST_BYTES and (image := native(path)):
                found[str(image.SOPInstanceUID)] = path
                break
    return found


def native(path: Path):
    """The file's data set where it is a whole single image that needs no decoder."""
    with suppress(Exception):
        image = dcmread(path)
        if image.file_meta.TransferSyntaxUID in NATIVE and int(image.get("NumberOfFrames") or 1) == 1:
            return image if image.pixel_array.size else None
    return None


@with_data
@with_dcmtk
@pytest.mark.parametrize(("send_as", "syntax"), [(3, JPEG_LOSSLESS), (5, J2K_LOSSLESS)])
async def test_real_images_reach_dcmtk_in_the_syntax_asked_for_with_every_pixel(
    archive: Archive, modality: Modality, tmp_path: Path, send_as: int, syntax: str
) -> None:
    rule = tmp_path / "rule.json"
    rule.write_text(json.dumps({"name": "all", "destinations": ["DCMTK"], "send_as": send_as}))
    given, folder = images(), tmp_path / "received"
    folder.mkdir()
    assert len(given) >= 5
    async with storescp(archive, folder, "+xa"):
        await archive.run("routing", "add", str(rule))
        await modality.give(list(given.values()))
        await archive.settled(120)
    received = {str(image.SOPInstanceUID): image for image in map(dcmread, sorted(folder.iterdir()))}
    assert received.keys() == given.keys()
    assert {str(image.file_meta.TransferSyntaxUID) for image in received.values()} == {syntax}
    for uid, image in received.items():
        pixels = await by_dcmtk(Path(str(image.filename))) if send_as == 3 else image.pixel_array
        assert np.array_equal(pixels, dcmread(given[uid]).pixel_array), given[uid]


async def by_dcmtk(path: Path) -> np.ndarray:
    """The pixels of a JPEG file as DCMTK decodes them."""
    decoded = path.with_suffix(".decoded")
    status, told = await dcmtk("dcmdjpeg", path, decoded)
    assert status == 0, told
    return dcmread(decoded).pixel_array


@with_data
@pytest.mark.skipif(program("Orthanc") is None, reason="Orthanc is not installed")
async def test_real_images_reach_orthanc_once_though_they_come_twice(
    archive: Archive, modality: Modality, tmp_path: Path
) -> None:
    given = images()
    async with orthanc(archive, tmp_path / "orthanc") as client:
        await archive.run("routing", "add", "--name", "all", "--destination", "ORTHANC", "--send-as", "4")
        for _ in range(2):
            await modality.give(list(given.values()))
            await archive.settled(120)
        found = (await client.get("/instances?expand")).json()
        syntaxes = {(await client.get(f"/instances/{one['ID']}/metadata/TransferSyntax")).text for one in found}
    # What is compressed lossily is another object, so their UIDs are not those that were given.
    assert len(found) == len(given)
    assert BASELINE in syntaxes


def configure(folder: Path, dicom: int, http: int) -> Path:
    """Write Orthanc's configuration."""
    folder.mkdir()
    ports = {"DicomAet": "ORTHANC", "DicomPort": dicom, "HttpPort": http}
    places = {"StorageDirectory": str(folder), "IndexDirectory": str(folder), "Plugins": []}
    lets_in = {"AuthenticationEnabled": False, "DicomAlwaysAllowStore": True, "UnknownSopClassAccepted": True}
    path = folder / "orthanc.json"
    path.write_text(json.dumps({**ports, **places, **lets_in}))
    return path


@asynccontextmanager
async def orthanc(archive: Archive, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run Orthanc as the peer ORTHANC; gives a client of its REST API."""
    dicom, http = free_port(), free_port()
    configured = configure(folder, dicom, http)
    command = (str(program("Orthanc")), str(configured))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{http}", timeout=30, verify=False) as client:
            await until(lambda: answers(client), 60)
            await archive.add_peer(Peer("ORTHANC", "127.0.0.1", dicom))
            yield client
    finally:
        process.terminate()
        await process.wait()


async def answers(client: httpx.AsyncClient) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get("/system")).status_code == 200
    return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
