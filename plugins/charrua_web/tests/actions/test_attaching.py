"""Files attached to a study over HTTP: objects of the study, which the archive finds, shows and gives back."""

from __future__ import annotations

import os
import shutil

import pytest

from charrua_core.archive.index.levels import text_of
from charrua_core.testing.files import JPEG, PDF, PNG
from charrua_core.testing.objects import a_study


@pytest.fixture
async def uid(desk):
    """A study of one image, whose patient's name was corrected since."""
    objects = a_study(PatientName="Deo^Jane", SeriesNumber=4)
    await desk.store(*objects)
    uid = str(objects[0].StudyInstanceUID)
    client = await desk.caller()
    await client.post(f"/actions/studies/{uid}/edit", json={"attributes": {"PatientName": "Doe^Jané"}})
    return uid


async def attach(client, uid: str, content: bytes, **query: str):
    return await client.post(f"/actions/studies/{uid}/attachments", params=query, content=content)


async def test_files_become_series_of_the_study_and_are_shown(desk, uid) -> None:
    client = await desk.caller("Radiologist")
    for content, kind, modality in ((PDF, "pdf", "DOC"), (JPEG, "jpeg", "OT"), (PNG, "png", "OT")):
        answer = await attach(client, uid, content, title=f"Überweisung {kind}")
        assert answer.status_code == 201 and answer.json()["kind"] == kind, answer.text
        told = answer.json()
        path = f"/dicom-web/studies/{uid}/series/{told['series']}/instances/{told['instance']}"
        [header] = (await client.get(f"{path}/metadata")).json()
        says = {tag: text_of(header[tag]) for tag in ("00100010", "00080060", "0008103E", "0020000D")}
        assert list(says.values()) == ["Doe^Jané", modality, f"Überweisung {kind}", uid]
        shown = await client.get(f"{path}/rendered", headers={"Accept": "image/jpeg, application/pdf;q=0.9"})
        assert shown.status_code == 200 and (kind == "pdf") == (shown.content == PDF)
    [study] = await desk.found(client, StudyInstanceUID=uid)
    assert study["00201206"] == "4" and sorted(study["00080061"].split("\\")) == ["CT", "DOC", "OT"]
    now = await desk.lines()
    assert await desk.regenerated() == now


@pytest.mark.settings(attachment_bytes="2048")
async def test_what_cannot_be_attached_is_told_and_leaves_nothing(desk, uid) -> None:
    client, blind = await desk.caller(), await desk.caller("Manager", {"Modality": ["US"]})
    before = await desk.lines()
    for content, status, word in (
        (b"", 400, "empty"),
        (b"MZ\x90\0\x03\0", 415, "PDF, JPEG"),
        (PDF[:-20], 422, "cut off"),
        (JPEG[:-40], 422, "cut off"),
        (PNG[:60], 422, "decoded"),
    ):
        answer = await attach(client, uid, content)
        assert answer.status_code == status and word in answer.json()["detail"], answer.text
    assert (await attach(client, uid, PDF, title="x" * 65)).status_code == 400
    assert (await attach(client, uid, PDF, title="a\\b")).status_code == 400
    assert (await attach(client, "1.2.3", PDF)).status_code == (await attach(blind, uid, PDF)).status_code == 404
    assert (await attach(await desk.caller("General"), uid, PDF)).status_code == 403
    assert (await attach(client, uid, PDF + b" " * 3000)).status_code == 413
    assert await desk.lines() == before
    assert [path for path in desk.app.volumes.current.root.glob("spool/*/*") if path.is_dir()] == []


async def test_texts_go_by_libreoffice_where_it_is(desk, uid, monkeypatch, tmp_path) -> None:
    client = await desk.caller()
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = await attach(client, uid, "Überweisung".encode())
    assert answer.status_code == 415 and "LibreOffice" in answer.json()["detail"]
    monkeypatch.undo()
    program = tmp_path / "soffice"
    program.write_text(
        '#!/bin/bash\nwhile [ "$1" != --outdir ]; do shift; done\nprintf \'%%PDF-1.4 made\\n%%%%EOF\' > "$2/document.pdf"\n'
    )
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answer = await attach(client, uid, "Überweisung".encode(), title="Letter")
    assert answer.status_code == 201 and answer.json()["kind"] == "txt", answer.text
    path = "/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered".format(**answer.json())
    shown = await client.get(path, headers={"Accept": "application/pdf"})
    assert shown.content == b"%PDF-1.4 made\n%%EOF"


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
async def test_libreoffice_itself_makes_a_pdf(desk, uid) -> None:
    client = await desk.caller()
    for text in (b"{\\rtf1\\ansi Letter}", b"Letter"):
        answer = await attach(client, uid, text)
        assert answer.status_code == 201, answer.text
