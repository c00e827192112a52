"""The archive behind TLS: whom each mode takes an object from, and how it calls a peer that speaks TLS itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrua_core.testing.certificates import Authority
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object, part10
from charrua_core.testing.running import Archive

Start = Callable[..., Any]


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
