"""The virtual servers: JPEG files, reports as JSON that say what DCMTK says, and REPORTS as a source."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread

from charrua_core.testing.objects import a_study, an_object
from charrua_core.testing.outside import DATA, dcmtk, with_data, with_dcmtk
from charrua_core.types import Origin, StoredObject
from charrua_routing.virtual.reports import sources_of, withheld

REPORTS = [
    "sr/reportsi.dcm",
    "sr/sample-sr.dcm",
    "sr/sr-2.dcm",
    "sr/sr.dcm",
    "sr/sr_document.dcm",
    "sr/structured_report.dcm",
    "sr/test-SR.dcm",
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def states(outcomes):
    return [one.state for one in outcomes]


# -- JPEG --------------------------------------------------------------------------------------------------------------
async def test_images_become_jpeg_files_under_modality_and_patient(sender, folder):
    uids = await sender.store(an_object(PatientName="Doe^Jane", PatientID="P/1", PixelData=bytes([7, 1] * 64)))
    assert states(await sender.send(await sender.add("jpeg", folder=folder), uids)) == ["done"]
    [file] = folder.rglob("*.jpg")
    assert file.relative_to(folder) == Path("CT", "Doe Jane P_1", f"{uids[0]}.jpg")
    assert Image.open(file).format == "JPEG"


@pytest.mark.parametrize(("which", "names"), [("all", ["_00001", "_00002", "_00003"]), ("representative", ["_00002"])])
async def test_of_many_frames_all_or_one_are_written(sender, folder, which, names):
    image = an_object(PixelData=bytes([7, 1] * 64 * 3), NumberOfFrames=3)
    uids = await sender.store(image)
    place = await sender.add("jpeg", folder=folder, frames=which)
    assert states(await sender.send(place, uids)) == ["done"]
    assert sorted(file.stem.removeprefix(uids[0]) for file in folder.rglob("*.jpg")) == names


@with_data
async def test_what_is_no_image_is_passed_over_and_a_broken_image_is_not(sender, folder):
    broken = an_object(PixelData=bytes(8))
    uids = await sender.store(DATA / "sr/sr.dcm", broken, an_object(PixelData=bytes([7, 1] * 64)))
    place = await sender.add("jpeg", folder=folder)
    assert states(await sender.send(place, uids)) == ["passed over", "refused", "done"]
    assert len(list(folder.rglob("*.jpg"))) == 1


# -- JSON --------------------------------------------------------------------------------------------------------------
@with_data
@with_dcmtk
@pytest.mark.parametrize("name", REPORTS)
async def test_the_json_of_a_report_says_what_dcmtk_reads_in_it(sender, listener, folder, name):
    await sender.app.change_setting("routing_preliminary_reports", True, by="test")
    place = await sender.add("json", url=f"{listener.url}/reports", folder=folder)
    assert states(await sender.send(place, await sender.store(DATA / name))) == ["done"]
    [(method, path, headers, body)] = listener.got
    assert (method, path, headers["Content-Type"]) == ("POST", "/reports", "application/json")
    [file] = folder.rglob("*.json")
    assert file.read_bytes() == body
    _, said = await dcmtk("dsrdump", "-Er", "-Ev", "-Ec", "-Ee", "+Pn", "+Pl", DATA / name)
    theirs = {position: (kind, name) for position, kind, name in ITEM.findall(said)}
    ours = {
        item["position"]: (item["type"], item.get("name", ""))
        for item in walk(json.loads(body)["content"])
        if "type" in item
    }
    assert theirs
    assert ours == theirs


ITEM = re.compile(r'^([\d.]+) +<(?:[a-z ]+ )?([A-Z0-9]+):(?:\(,,"([^"]*)"\))?', re.MULTILINE)
"""A line of dsrdump: position, value type, concept name."""


def walk(item):
    yield item
    for child in item.get("items", ()):
        yield from walk(child)


@with_data
async def test_what_is_no_report_is_passed_over(sender, listener):
    uids = await sender.store(an_object(), DATA / "series/mr-ihe-kos/kos/kos.dcm")
    place = await sender.add("json", url=listener.url)
    assert states(await sender.send(place, uids)) == ["passed over"] * 2
    assert listener.got == []


@with_data
@pytest.mark.parametrize(
    ("flags", "setting", "state"),
    [
        ({"CompletionFlag": "COMPLETE"}, False, "done"),
        ({"CompletionFlag": "PARTIAL"}, False, "passed over"),
        ({"CompletionFlag": "PARTIAL"}, True, "done"),
        ({"CompletionFlag": "COMPLETE", "PreliminaryFlag": "PRELIMINARY"}, False, "passed over"),
    ],
)
async def test_preliminary_reports_go_out_only_where_the_setting_says_so(sender, listener, flags, setting, state):
    report = dcmread(DATA / "sr/sr.dcm")
    for keyword, value in flags.items():
        setattr(report, keyword, value)
    await sender.app.change_setting("routing_preliminary_reports", setting, by="test")
    place = await sender.add("json", url=listener.url)
    assert states(await sender.send(place, await sender.store(report))) == [state]


@with_data
async def test_a_report_that_the_server_does_not_take_is_tried_again(sender, listener):
    listener.answer = lambda path, body: (503, b"", {})
    place = await sender.add("json", url=listener.url)
    [outcome] = await sender.send(place, await sender.store(DATA / "sr/sample-sr.dcm"))
    assert (outcome.state, outcome.why) == ("failed", "HTTP 503")


# -- REPORTS -----------------------------------------------------------------------------------------------------------
def stored(sop_class, calling="RIS"):
    return StoredObject(
        "1.2", "1.3", "1.4", sop_class, "1.2.840.10008.1.2", "SR", 1, datetime.now(UTC), Origin("dimse", calling)
    )


@pytest.mark.parametrize(
    ("sop_class", "calling", "sources"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "RIS", {"RIS", "REPORTS"}),
        ("1.2.840.10008.5.1.4.1.1.88.33", "", {"REPORTS"}),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", "RIS", {"RIS", "REPORTS"}),  # spoken
        ("1.2.840.10008.5.1.4.1.1.88.59", "RIS", {"RIS"}),  # key objects
        ("1.2.840.10008.5.1.4.1.1.2", "RIS", {"RIS"}),
    ],
)
def test_every_report_comes_from_reports_too(sop_class, calling, sources):
    assert sources_of(stored(sop_class, calling)) == sources


@pytest.mark.parametrize("allowed", [False, True])
def test_spoken_reports_are_distributed_only_where_the_setting_says_so(allowed):
    settings = {"routing_audio_reports": allowed, "routing_preliminary_reports": False}
    assert bool(withheld(settings, "1.2.840.10008.5.1.4.1.1.9.4.2", {})) is not allowed


async def test_a_routed_object_goes_through_the_queue_to_a_virtual_server(sender, folder):
    from charrua_core.sending.queue import enqueue
    from charrua_core.types import Route

    uids = await sender.store(*a_study(images=2))
    await sender.add("jpeg", "JPEG", folder=folder)
    async with sender.app.db.transaction() as tx:
        for uid in uids:
            told = StoredObject("1.2", "1.3", uid, "1.2", "1.2", "CT", 1, datetime.now(UTC), Origin("dimse"))
            await enqueue(sender.app, tx, Route("JPEG"), told)
    await sender.work()
    [job] = await sender.app.jobs.list(kind="send")
    assert job.state == "done", job.last_error
    assert len(list(folder.rglob("*.jpg"))) == 2
    for file in folder.rglob("*.jpg"):
        Image.open(BytesIO(file.read_bytes())).load()
