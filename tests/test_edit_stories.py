"""An administrator corrects what a modality sent, and everybody who asks afterwards gets it corrected."""

from __future__ import annotations

from pathlib import Path

from charrua_core.testing.devices import Modality, Workstation
from charrua_core.testing.objects import a_study
from charrua_core.testing.running import Archive


def number_of(told: str) -> str:
    """The edit's number, as the command tells it."""
    return told.split()[1]


async def test_a_wrong_name_is_corrected_for_all_who_search_and_fetch_and_the_mistake_can_be_had_back(
    archive: Archive, modality: Modality, workstation: Workstation
) -> None:
    study = a_study(images=2, PatientName="Deo^Jane")
    uid = str(study[0].StudyInstanceUID)
    await modality.give(study)
    told = await archive.run("archive", "edit", "study", uid, "PatientName=Doe^Jane", "--reason", "typing error")
    [found] = await workstation.find("STUDY", PatientName="doe^jane", StudyInstanceUID="")
    assert found.StudyInstanceUID == uid
    assert await workstation.find("STUDY", PatientName="Deo*") == []
    await workstation.move("STUDY", StudyInstanceUID=uid)
    assert {str(one.attributes.PatientName) for one in workstation.received} == {"Doe^Jane"}
    assert "typing error" in await archive.run("archive", "history", uid)

    await archive.run("archive", "undo", number_of(told))
    [found] = await workstation.find("STUDY", PatientName="Deo*", StudyInstanceUID="")
    assert str(found.PatientName) == "Deo^Jane"


async def test_a_study_sent_under_two_uids_becomes_one(
    archive: Archive, modality: Modality, workstation: Workstation
) -> None:
    one, other = a_study(images=2, PatientID="A"), a_study(images=1, PatientID="B")
    await modality.give(one, other)
    into = str(one[0].StudyInstanceUID)
    await archive.run("archive", "merge-studies", str(other[0].StudyInstanceUID), into)
    [found] = await workstation.find("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances="")
    assert (found.StudyInstanceUID, found.NumberOfStudyRelatedInstances) == (into, 3)
    await workstation.get("STUDY", StudyInstanceUID=into)
    assert {one.attributes.StudyInstanceUID for one in workstation.received} == {into}
    assert {one.attributes.PatientID for one in workstation.received} == {"A"}
    assert len(workstation.received) == 3


async def test_a_deleted_study_is_gone_for_all_and_comes_back_undone(
    archive: Archive, modality: Modality, workstation: Workstation
) -> None:
    study = a_study(images=2)
    uid = str(study[0].StudyInstanceUID)
    await modality.give(study)
    told = await archive.run("archive", "delete", "study", uid)
    assert await workstation.find("STUDY", StudyInstanceUID="") == []
    assert (await workstation.get("STUDY", StudyInstanceUID=uid)).completed == 0
    await archive.run("archive", "undo", number_of(told))
    assert (await workstation.get("STUDY", StudyInstanceUID=uid)).completed == 2


async def test_a_study_is_sent_on_command_as_it_is_now(
    archive: Archive, modality: Modality, workstation: Workstation
) -> None:
    study = a_study(images=2)
    uid = str(study[0].StudyInstanceUID)
    await modality.give(study)
    await archive.run("archive", "assign-study", uid, "0815", "--name", "Roe^Richard")
    await archive.run("archive", "send", uid, "WORKSTATION")
    await archive.settled()
    assert [one.attributes.PatientID for one in workstation.received] == ["0815", "0815"]


async def test_the_index_is_lost_and_built_anew_from_the_volumes(
    archive: Archive, modality: Modality, workstation: Workstation
) -> None:
    study = a_study(series=2, images=3)
    await modality.give(study)
    await archive.run("archive", "edit", "study", str(study[0].StudyInstanceUID), "PatientName=Other^Name")
    await archive.run("archive", "delete", "series", str(study[0].SeriesInstanceUID))
    before = await archive.run("archive", "dump")
    status, _, error = await archive.charrua("archive", "regenerate")
    assert status == 1 and "runs already" in error
    await archive.stop()
    await archive.run("archive", "regenerate")
    assert await archive.run("archive", "dump") == before
    await archive.start()
    [found] = await workstation.find("STUDY", PatientName="Other^Name", NumberOfStudyRelatedInstances="")
    assert found.NumberOfStudyRelatedInstances == 3


async def test_check_names_what_is_wrong_while_the_archive_serves(archive: Archive, modality: Modality) -> None:
    await modality.give(a_study(images=3))
    status, table, _ = await archive.charrua("archive", "check", "--grace", "0")
    assert status == 0
    one, other, _ = sorted(archive.data_dir.glob("volume-1/2*/**/*.dcm"))
    one.unlink()
    flip(other)
    status, table, _ = await archive.charrua("archive", "check", "--grace", "0")
    assert status == 1
    found = " ".join(table.split())
    assert f"{one.name} the file is not there" in found
    assert f"{other.name} the data set is not what was received" in found


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


async def test_an_edit_that_a_power_cut_ended_before_its_commit_was_never_made(
    archive: Archive, modality: Modality
) -> None:
    study = a_study()
    await modality.give(study)
    before = await archive.run("archive", "dump")
    uid = str(study[0].StudyInstanceUID)
    archive.environment["CHARRUA_FAULT"] = "before_commit:1:kill"
    status, _, _ = await archive.charrua("archive", "edit", "study", uid, "PatientID=0815")
    del archive.environment["CHARRUA_FAULT"]
    assert status == -9
    await archive.kill()
    await archive.start()  # which settles the journal
    await archive.stop()
    assert await archive.run("archive", "dump") == before
    await archive.run("archive", "regenerate")
    assert await archive.run("archive", "dump") == before
