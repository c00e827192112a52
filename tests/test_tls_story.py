"""The archive behind TLS: whom each mode takes an object from, and how it calls a peer that speaks TLS itself."""

from __future__ import annotations

import hashlib
import shutil
import ssl
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from charrua_core.dicom import UNCOMPRESSED, ProposedContext, associate
from charrua_core.dicom.tls import client_context
from charrua_core.testing.certificates import Authority
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object, part10
from charrua_core.testing.running import Archive

Start = Callable[..., Any]

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_LEVEL = b"\x08\x00\x52\x00CS\x06\x00STUDY \x20\x00\x0d\x00UI\x00\x00"


@pytest.fixture
def hospital(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "hospital")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "stranger")


@pytest.fixture
def start(start_archive: Start, hospital: Authority) -> Start:
    """Start an archive in a TLS mode, with a certificate of the hospital."""
    certificate, key = hospital.issue("archive")

    async def start(mode: str) -> Archive:
        files = {"certificate": certificate, "key": key, "authorities": hospital.path}
        settings = {f"dicom_tls_{name}": path for name, path in files.items()}
        archive: Archive = await start_archive(settings={"dicom_tls": mode, **settings})
        return archive

    return start


@pytest.mark.skipif(not shutil.which("storescu"), reason="DCMTK is not installed")
@pytest.mark.parametrize("mode", ["encrypt", "request", "require"])
async def test_each_mode_takes_an_object_from_those_it_says(
    start: Start, hospital: Authority, stranger: Authority, tmp_path: Path, mode: str
) -> None:
    archive = await start(mode)
    file = tmp_path / "image.dcm"
    file.write_bytes(part10(an_object()))

    async def takes(*options: object) -> bool:
        status, _ = await Modality(archive.peer).storescu(file, options=list(map(str, options)))
        return status == 0

    trusted = [[*reversed(one.issue("ct1"))] for one in (hospital, stranger)]
    checked = ("+cf", hospital.path)
    assert await takes("+tls", *trusted[0], *checked)
    assert await takes("+tla", *checked) is (mode != "require")
    assert await takes("+tls", *trusted[1], *checked) is (mode == "encrypt")
    assert not await takes()  # without TLS


async def test_the_archive_shows_its_certificate_to_a_peer_that_requires_one(start: Start) -> None:
    archive = await start("require")
    await archive.run("peer", "add", "CHARRUA", "127.0.0.1", str(archive.port), "--tls", "require")
    assert "answers in" in await archive.run("peer", "echo", "CHARRUA")
    await archive.run("peer", "add", "CHARRUA", "127.0.0.1", str(archive.port), "--tls", "off")
    status, _, told = await archive.charrua("peer", "echo", "CHARRUA")
    assert (status, "Traceback" in told) == (1, False)


@pytest.mark.parametrize("by", ["subject", "fingerprint"])
async def test_an_ae_title_is_bound_to_a_certificate(start: Start, hospital: Authority, by: str) -> None:
    archive = await start("request")
    mine, other = hospital.issue("ws1"), hospital.issue("ws2")
    der = ssl.PEM_cert_to_DER_cert(mine[0].read_text())
    named = "CN=ws1" if by == "subject" else hashlib.sha256(der).hexdigest().upper()
    await archive.run("peer", "add", "WS1", "192.0.2.7", "104", "--certificate", named)

    async def may_query(certificate: tuple[Path, Path] | None) -> bool:
        tls = client_context("encrypt", *(certificate or ()))
        contexts = [ProposedContext(FIND, UNCOMPRESSED)]
        async with (
            associate(archive.peer, contexts, calling_aet="WS1", tls=tls) as association,
            aclosing(association.find(FIND, STUDY_LEVEL)) as responses,
        ):
            return [status async for status, _ in responses][-1] == 0x0000

    assert [await may_query(one) for one in (mine, other, None)] == [True, False, False]
