"""The kinds of destinations against real ends: folders, local object stores, STOW-RS, webhooks, Orthanc."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shutil
import ssl
import threading

import httpx
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from charrua_core.archive.edit import edit
from charrua_core.archive.edit.values import from_keywords
from charrua_core.errors import EditInvalid, PeerUnreachable
from charrua_core.jobs import GiveUp
from charrua_core.sending import SendFailed
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import SYSTEM, Level, Peer

from .conftest import Listener, orthanc

needs_orthanc = pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")


def states(outcomes):
    return [one.state for one in outcomes]


@pytest.fixture(params=["folder", "object-store"])
def shelf(request, sender, tmp_path):
    """A folder on this machine, by either kind that can write to one; gives a function that adds the destination."""
    folder = tmp_path / "out"
    folder.mkdir()
    where = {"folder": folder} if request.param == "folder" else {"url": folder.as_uri()}
    return folder, lambda **options: sender.add(request.param, **where, **options)


async def test_objects_become_files_named_after_what_they_say(sender, shelf):
    folder, add = shelf
    study = a_study(images=3)
    uids = await sender.store(*study)
    await edit.edit(sender.app, SYSTEM, Level.STUDY, study[0].StudyInstanceUID, from_keywords({"PatientID": "../0815"}))
    place = await add(path="{PatientID}/{SOPInstanceUID}.dcm")
    assert states(await sender.send(place, uids)) == ["done"] * 3
    files = sorted(folder.rglob("*.dcm"))
    assert len(files) == 3
    assert {file.parent.parent for file in files} == {folder}
    assert {str(dcmread(file).SOPInstanceUID) for file in files} == set(uids)
    assert {dcmread(file).PatientID for file in files} == {"../0815"}
    assert dcmread(files[0]).PixelData == study[0].PixelData


async def test_what_is_sent_twice_takes_its_own_place(sender, shelf):
    folder, add = shelf
    uids = await sender.store(*a_study(images=2))
    place = await add()
    for _ in range(2):
        assert states(await sender.send(place, uids)) == ["done"] * 2
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2


async def test_objects_go_in_the_syntax_that_is_asked_for(sender, shelf):
    folder, add = shelf
    uids = await sender.store(an_object(PixelData=bytes([7, 1] * 64)))
    place = await add(transfer_syntaxes=[str(JPEG2000Lossless)])
    assert states(await sender.send(place, uids)) == ["done"]
    [file] = folder.rglob("*.dcm")
    assert dcmread(file).file_meta.TransferSyntaxUID == JPEG2000Lossless


async def test_a_place_is_tried(sender, shelf):
    folder, add = shelf
    place = await add()
    assert str(folder) in await sender.app.destinations.kind_of(place).probe(sender.app, place)
    assert list(folder.iterdir()) == []


async def test_a_folder_that_is_away_is_waited_for_and_not_made(sender, tmp_path):
    place = await sender.add("folder", folder=tmp_path / "share")
    with pytest.raises(SendFailed, match="there is no folder"):
        await sender.send(place, await sender.store(an_object()))
    assert not (tmp_path / "share").exists()


async def test_nothing_is_written_among_the_archives_own_files(sender):
    place = await sender.add("folder", folder=sender.app.volumes.current.root)
    with pytest.raises(GiveUp, match="its own files"):
        await sender.send(place, await sender.store(an_object()))


async def test_a_link_that_leads_out_of_the_folder_is_not_followed(sender, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "out" / "P1")
    place = await sender.add("folder", folder=tmp_path / "out", path="{PatientID}/{SOPInstanceUID}.dcm")
    with pytest.raises(SendFailed, match="leads out of it"):
        await sender.send(place, await sender.store(an_object(PatientID="P1")))
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        ("folder", {"folder": "out"}, "no absolute path"),
        ("folder", {"folder": "/out", "path": "{PatientID}"}, "SOPInstanceUID"),
        ("object-store", {"url": "ftp://x"}, "is no URL of"),
        ("stow", {"url": "localhost:8042"}, "no URL of http"),
        ("stow", {"url": "http://me:secret@localhost"}, "not in the URL"),
        ("webhook", {"url": "http://localhost", "attributes": "Nonsense"}, "no attribute Nonsense"),
        ("json", {}, "a url, a folder, or both"),
        ("jpeg", {}, "needs folder"),
        ("jpeg", {"folder": "/out", "frames": "some"}, "all, representative"),
        ("jpeg", {"folder": "/out", "transfer_syntaxes": ["1.2"]}, "has no transfer_syntaxes"),
    ],
)
async def test_options_that_will_not_do_are_refused(sender, kind, options, why):
    with pytest.raises(EditInvalid, match=why):
        await sender.add(kind, **options)


# -- webhook ---------------------------------------------------------------------------------------------------------
async def test_a_webhook_is_told_of_objects_by_signed_json(sender, listener):
    uids = await sender.store(an_object(PatientID="P1", StudyDescription="Knee"))
    place = await sender.add("webhook", url=f"{listener.url}/hook", secret="hush", attributes="PatientID,Modality")
    assert states(await sender.send(place, uids)) == ["done"]
    [(method, path, headers, body)] = listener.got
    told = json.loads(body)
    assert (method, path, told["sop_instance_uid"]) == ("POST", "/hook", uids[0])
    assert told["attributes"] == {"PatientID": ["P1"], "Modality": ["CT"]}
    assert headers["X-Charrua-Signature"] == "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("status", "headers", "state"),
    [
        (204, {}, "done"),
        (500, {}, "failed"),
        (401, {}, "failed"),
        (422, {}, "refused"),
        (302, {"Location": "/"}, "failed"),
    ],
)
async def test_what_an_answer_means(sender, listener, status, headers, state):
    listener.answer = lambda path, body: (status, b"", headers)
    place = await sender.add("webhook", url=listener.url)
    assert states(await sender.send(place, await sender.store(an_object()))) == [state]
    assert len(listener.got) == 1  # no redirect is followed


# -- STOW-RS ---------------------------------------------------------------------------------------------------------
def stow_answer(status, taken=(), failed=()):
    refer = {uid: {"00081155": {"vr": "UI", "Value": [uid]}} for uid in (*taken, *(uid for uid, _ in failed))}
    told = {
        "00081199": {"vr": "SQ", "Value": [refer[uid] for uid in taken]},
        "00081198": {
            "vr": "SQ",
            "Value": [{**refer[uid], "00081197": {"vr": "US", "Value": [reason]}} for uid, reason in failed],
        },
    }
    return status, json.dumps(told).encode(), {"Content-Type": "application/dicom+json"}


async def test_each_object_has_what_the_answer_says_of_it(sender, listener):
    uids = await sender.store(*a_study(images=4))
    listener.answer = lambda path, body: stow_answer(202, uids[:1], [(uids[1], 0xA700), (uids[2], 0xA900)])
    place = await sender.add("stow", url=f"{listener.url}/dicom-web", token="hush")
    outcomes = await sender.send(place, uids)
    assert {one.record.sop_instance_uid: one.state for one in outcomes} == dict(
        zip(uids, ("done", "failed", "refused", "failed"), strict=True)
    )
    [(method, path, headers, body)] = listener.got
    assert (method, path, headers["Authorization"]) == ("POST", "/dicom-web/studies", "Bearer hush")
    boundary = re.search(r"boundary=(\w+)", headers["Content-Type"])[1]
    assert body.count(f"--{boundary}\r\n".encode()) == 4


@pytest.mark.parametrize(
    ("status", "said", "state"),
    [
        (503, b"", "failed"),
        (415, b"", "refused"),
        (200, b"<xml/>", "failed"),
        (200, b"[1, {}]", "failed"),
        (409, b"{}", "failed"),
    ],
)
async def test_an_answer_that_says_nothing_of_an_object_is_no_success(sender, listener, status, said, state):
    listener.answer = lambda path, body: (status, said, {})
    place = await sender.add("stow", url=listener.url)
    assert states(await sender.send(place, await sender.store(an_object()))) == [state]


async def test_a_server_whose_certificate_is_not_known_gets_nothing(sender, tls_listener):
    server, ca_file = tls_listener
    uids = await sender.store(an_object())
    stranger = await sender.add("stow", "STRANGER", url=f"https://localhost:{server.server_port}")
    with pytest.raises(PeerUnreachable, match="certificate"):
        await sender.send(stranger, uids)
    assert server.got == []
    server.answer = lambda path, body: stow_answer(200, uids)
    known = await sender.add("stow", "KNOWN", url=f"https://localhost:{server.server_port}", ca_file=ca_file)
    assert states(await sender.send(known, uids)) == ["done"]


async def test_a_server_that_hangs_is_left(sender, listener):
    answered = threading.Event()
    listener.answer = lambda path, body: (answered.wait(10), (200, b"", {}))[1]
    place = await sender.add("stow", url=listener.url)
    place = type(place)(place.name, place.kind, place.options, timeout_s=0.3)
    try:
        with pytest.raises(PeerUnreachable, match="did not answer in time"):
            await sender.send(place, await sender.store(an_object()))
    finally:
        answered.set()


@pytest.fixture
def tls_listener(tmp_path):
    from charrua_core.testing.certificates import Authority

    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("localhost")
    server = Listener()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server, authority.path
    server.shutdown()
    server.server_close()
    thread.join()


# -- Orthanc ---------------------------------------------------------------------------------------------------------
@needs_orthanc
async def test_orthanc_has_what_went_there_by_stow_and_by_c_store(sender, tmp_path):
    study = a_study(images=3)
    uids = await sender.store(*study)
    async with orthanc(tmp_path / "orthanc") as (dicom_port, http_port):
        await sender.app.peers.add(Peer("ORTHANC", "127.0.0.1", dicom_port), by="test")
        url = f"http://127.0.0.1:{http_port}"
        web = await sender.add("stow", "WEB", url=f"{url}/dicom-web", user="charrua", password="secret")
        assert "HTTP 200" in await sender.app.destinations.kind_of(web).probe(sender.app, web)
        peer = await sender.app.destinations.get("ORTHANC")
        syntax = {"transfer_syntaxes": [str(ExplicitVRLittleEndian)]}
        assert states(await sender.send(web, uids[:2], **syntax)) == ["done"] * 2
        assert states(await sender.send(peer, uids[2:])) == ["done"]
        async with httpx.AsyncClient(auth=("charrua", "secret"), base_url=url) as client:
            found = (await client.get("/instances?expand")).json()
    assert {one["MainDicomTags"]["SOPInstanceUID"] for one in found} == set(uids)
