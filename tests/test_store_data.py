"""Every real file that is sound is stored as it is; every damaged one gets a status and leaves nothing half done."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from pathlib import Path

import asyncpg
import httpx
import pydicom
import pytest
from blake3 import blake3
from dicomweb_client.api import DICOMwebClient
from pydicom.uid import UID

from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.dicom import ContextNotAccepted, ProposedContext, associate
from charrua_core.errors import HeaderDamaged
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk

DEFINED = {0xA900, 0xC000, 0x0117}

pytestmark = with_data


def manifest(*states: str) -> list[dict[str, str]]:
    """The files in these states; what no modality stores (DICOMDIR, worklist items) has no study there."""
    with (DATA / "MANIFEST.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["state"] in states]


def sound() -> list[dict[str, str]]:
    return [row for row in manifest("ok") if row["study_uid"] and row["sop_instance_uid"]]


async def send(archive, row) -> int | None:
    """The status of a file sent in its own transfer syntax, None where it cannot even be offered."""
    content = (DATA / row["path"]).read_bytes()
    try:
        meta = read_file_meta(content)
        sop_class = row["sop_class_uid"] or meta.sop_class_uid
        contexts = [ProposedContext(sop_class, (meta.transfer_syntax_uid,))]
        async with associate(archive.peer, contexts, calling_aet="MODALITY") as association:
            uid = row["sop_instance_uid"] or meta.sop_instance_uid
            data = content[meta.dataset_offset :]
            return (await association.store((sop_class, meta.transfer_syntax_uid), sop_class, uid, [data])).status
    except (HeaderDamaged, ContextNotAccepted):
        return None


async def digests(archive) -> Counter[bytes]:
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    try:
        rows = await connection.fetch("SELECT dataset_digest FROM core.instance")
        return Counter(row["dataset_digest"] for row in rows)
    finally:
        await connection.close()


def files_of(archive, pattern: str) -> list[Path]:
    volume = Path(archive.environment["CHARRUA_DATA_DIR"], "volume-1")
    return [path for path in volume.glob(pattern) if path.is_file()]


def digest_of(row) -> bytes:
    content = (DATA / row["path"]).read_bytes()
    return blake3(content[read_file_meta(content).dataset_offset :]).digest()


async def test_every_sound_file_is_stored_in_its_own_transfer_syntax(archive):
    statuses = {row["path"]: await send(archive, row) for row in sound()}
    assert {path: status for path, status in statuses.items() if status != 0x0000} == {}
    assert await digests(archive) == Counter({digest_of(row) for row in sound()})


async def test_every_sound_file_is_stored_over_http_as_it_is(archive):
    """By dicomweb-client, which writes each object anew, and byte for byte where it does not."""
    token = await archive.token()
    files = [DATA / row["path"] for row in sound()]
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, verify=False
    ) as client:
        for at in range(0, len(files), 40):
            parts = [b"--B\r\n\r\n%b\r\n" % file.read_bytes() for file in files[at : at + 40]]
            media = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'}
            answer = await client.post(
                "/dicom-web/studies", content=b"".join([*parts, b"--B--"]), headers=media, timeout=60
            )
            assert answer.status_code == 200, answer.text
    assert await digests(archive) == Counter({digest_of(row) for row in sound()})


async def test_dicomweb_client_stores_what_pydicom_writes(archive):
    token = await archive.token()
    known = [row for row in sound() if UID(row["transfer_syntax_uid"]).is_transfer_syntax]
    rows = [row for row in known if row["pydicom"] == "ok"]
    images = [pydicom.dcmread(DATA / row["path"], force=True) for row in rows]

    def store() -> list[str]:
        client = DICOMwebClient(f"{archive.url}/dicom-web", headers={"Authorization": f"Bearer {token}"})
        told = [client.store_instances(images[at : at + 20]) for at in range(0, len(images), 20)]
        assert not any("FailedSOPSequence" in one for one in told)
        return [item.ReferencedSOPInstanceUID for one in told for item in one.ReferencedSOPSequence]

    assert Counter(await asyncio.to_thread(store)) == Counter(row["sop_instance_uid"] for row in rows)


async def test_every_damaged_file_is_named_over_http_and_leaves_nothing_half_done(archive):
    token = await archive.token()
    rows = manifest("broken", "odd")
    parts = [b"--B\r\n\r\n%b\r\n" % (DATA / row["path"]).read_bytes() for row in rows]
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, verify=False
    ) as client:
        media = {"Content-Type": "multipart/related; boundary=B"}
        answer = await client.post(
            "/dicom-web/studies", content=b"".join([*parts, b"--B--"]), headers=media, timeout=60
        )
    told = answer.json()
    stored, failed, others = (told.get(tag, {}).get("Value", []) for tag in ("00081199", "00081198", "0008119A"))
    assert (answer.status_code, len(stored) + len(failed) + len(others)) == (202, len(rows))
    assert {item["00081197"]["Value"][0] for item in [*failed, *others]} <= DEFINED | {0xC122}
    assert files_of(archive, "spool/*/*") == []
    assert (await digests(archive)).total() == len(files_of(archive, "2*/**/*.dcm")) <= len(stored)


@with_dcmtk
async def test_dcmtk_stores_what_it_can_read(archive):
    sendable = [row for row in sound() if row["orthanc_1_10_1_cstore"] in ("stored", "refused")]
    files = [str(DATA / row["path"]) for row in sendable]
    address = [archive.peer.host, str(archive.peer.port)]
    await dcmtk("dcmsend", "-v", "-aec", archive.peer.aet, "--no-halt", "--decompress-never", *address, *files)
    # DCMTK writes sequences anew, so that not every object has the bytes of its file.
    found = await digests(archive)
    assert found.total() >= len({row["sop_instance_uid"] for row in sendable}) - 5


async def test_files_that_name_no_study_are_stored_too(archive):
    rows = [row for row in manifest("odd") if row["note"].endswith("lacks Study Instance UID, Series Instance UID")]
    assert len(rows) == 6
    assert [await send(archive, row) for row in rows] == [0x0000] * 6


async def test_every_damaged_file_gets_a_status_and_leaves_nothing_half_done(archive):
    rows = manifest("broken", "odd")
    statuses = {row["path"]: await send(archive, row) for row in rows}
    assert {path: status for path, status in statuses.items() if status not in DEFINED | {None, 0x0000}} == {}
    stored = {digest_of(row) for row in rows if statuses[row["path"]] == 0x0000}
    assert set(await digests(archive)) == stored
    assert len(files_of(archive, "2*/**/*.dcm")) == len(stored)
    assert files_of(archive, "spool/*/*") == []


@pytest.mark.parametrize(
    "path", ["MR_truncated.dcm", "rtplan_truncated.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm"]
)
async def test_a_truncated_file_is_damaged(archive, path):
    [row] = [row for row in manifest("broken") if row["path"].endswith(path)]
    assert await send(archive, row) in {0xC000, 0x0117}
