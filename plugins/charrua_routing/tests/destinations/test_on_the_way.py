"""What becomes of objects on their way: de-identified and coerced as is asked for, and the stored ones left alone."""

from __future__ import annotations

import pytest
from pydicom import dcmread

from charrua_core.errors import EditInvalid
from charrua_core.testing.devices import Workstation
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import Destination, Peer


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def came(folder):
    return [dcmread(file) for file in sorted(folder.rglob("*.dcm"))]


async def test_what_goes_to_a_research_folder_is_deidentified_and_its_names_too(sender, folder):
    await sender.app.change_setting("deidentification_key", "hush", by="test")
    uids = await sender.store(*a_study(images=2, PatientName="Zaphod^B", PatientID="Zaphod"))
    files = {path: path.read_bytes() for path in sender.app.volumes.current.root.glob("2*/**/*.dcm")}
    place = await sender.add(
        "folder", folder=folder, deidentify="basic", coerce='{"PatientComments": "trial 7 {PatientID}"}'
    )
    assert [one.state for one in await sender.send(place, uids)] == ["done"] * 2
    made = came(folder)
    assert {one.SOPInstanceUID for one in made}.isdisjoint(uids)
    assert len({one.PatientID for one in made}) == 1
    assert {one.PatientComments for one in made} == {f"trial 7 {made[0].PatientID}"}
    everything = b"".join(file.read_bytes() + str(file).encode() for file in folder.rglob("*") if file.is_file())
    assert b"Zaphod" not in everything
    assert {path: path.read_bytes() for path in files} == files


@pytest.mark.parametrize(
    ("key", "attributes", "why"),
    [("", {}, "there is no deidentification_key"), ("hush", {"BurnedInAnnotation": "YES"}, "burned into its pixels")],
)
async def test_what_cannot_be_deidentified_does_not_go_at_all(sender, folder, key, attributes, why):
    await sender.app.change_setting("deidentification_key", key, by="test")
    uids = await sender.store(an_object(**attributes))
    [outcome] = await sender.send(await sender.add("folder", folder=folder, deidentify="basic"), uids)
    assert outcome.state == "refused"
    assert why in outcome.why
    assert came(folder) == []


async def test_a_coercion_is_told_in_the_original_attributes(sender, folder):
    uids = await sender.store(an_object(PatientID="P1", InstitutionName="Norte", StudyDescription="Knee"))
    coerce = '{"InstitutionName": "{InstitutionName} of {PatientID}", "StudyDescription": null}'
    place = await sender.add("folder", folder=folder, coerce=coerce)
    assert [one.state for one in await sender.send(place, uids)] == ["done"]
    [made] = came(folder)
    assert (made.InstitutionName, "StudyDescription" in made) == ("Norte of P1", False)
    [told] = made.OriginalAttributesSequence
    assert (told.ReasonForTheAttributeModification, told.ModifiedAttributesSequence[0].InstitutionName) == (
        "COERCE",
        "Norte",
    )


async def test_a_route_to_a_peer_may_ask_for_it_too(sender):
    await sender.app.change_setting("deidentification_key", "hush", by="test")
    station = Workstation(Peer("CHARRUA", "127.0.0.1", 0))
    await station.start()
    try:
        await sender.app.peers.add(station.peer, by="test")
        uids = await sender.store(an_object(PatientName="Zaphod^B"))
        outcomes = await sender.send(await sender.app.destinations.get("WORKSTATION"), uids, deidentify=["basic"])
    finally:
        await station.stop()
    assert [one.state for one in outcomes] == ["done"]
    [got] = station.received
    assert got.sop_instance_uid == got.attributes.SOPInstanceUID != uids[0]
    assert "Zaphod" not in str(got.attributes)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"deidentify": "retain_uids"}, "begins with basic"),
        ({"deidentify": "basic everything"}, "knows no everything"),
        ({"deidentify": "basic shift_dates retain_full_dates"}, "not both"),
        ({"coerce": "PatientID=1"}, "a text, or null, for each keyword"),
        ({"coerce": {"Nonsense": "x"}}, "no keyword"),
        ({"coerce": {"SOPInstanceUID": "1.2"}}, "cannot be coerced"),
        ({"coerce": {"Rows": "2"}}, "cannot be coerced"),
        ({"transfer_syntaxes": "JPEG"}, "are UIDs"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_at_once(sender, folder, options, why):
    with pytest.raises(EditInvalid, match=why):
        await sender.app.destinations.add(Destination("A", "folder", {"folder": str(folder), **options}), by="test")
