"""C-FIND against a running archive."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from io import BytesIO
from statistics import median

import asyncpg
import orjson
import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from charrua_core.dicom import UNCOMPRESSED, ProposedContext, associate
from charrua_core.testing.objects import a_study, an_object

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
PENDING, SOME_KEYS_UNKNOWN, CANCELLED = 0xFF00, 0xFF01, 0xFE00


def identifier(level: str, **keys) -> bytes:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    encoded = encode(asked, False, True)
    assert encoded is not None
    return encoded


async def answers(workstation, asked: bytes, extended: bytes | None = None) -> list[tuple[int, Dataset]]:
    """The responses to a query, the final one included."""
    offered = {STUDY_ROOT: extended} if extended else {}
    contexts = [ProposedContext(STUDY_ROOT, UNCOMPRESSED)]
    async with (
        associate(workstation.archive, contexts, calling_aet=workstation.aet, extended=offered) as association,
        aclosing(association.find(STUDY_ROOT, asked)) as responses,
    ):
        return [(status, decode(BytesIO(data), False, True)) async for status, data in responses]


async def statuses(workstation, asked: bytes, extended: bytes | None = None) -> list[int]:
    return [status for status, _ in await answers(workstation, asked, extended)]


async def test_what_was_stored_is_found_at_each_level(modality, workstation):
    study = a_study(series=2, images=2, PatientName="Núñez^José", SpecificCharacterSet="ISO_IR 100")
    await modality.store(study)
    uids = {"StudyInstanceUID": study[0].StudyInstanceUID}
    [patient] = await workstation.find(
        "PATIENT", root="PATIENT", PatientName="nunez*", NumberOfPatientRelatedStudies=""
    )
    [found] = await workstation.find(
        "STUDY", **uids, PatientName="", ModalitiesInStudy="", NumberOfStudyRelatedSeries=""
    )
    series = await workstation.find("SERIES", **uids, SeriesInstanceUID="", NumberOfSeriesRelatedInstances="")
    uids["SeriesInstanceUID"] = series[0].SeriesInstanceUID
    images = await workstation.find("IMAGE", **uids, SOPInstanceUID="", Rows="")
    assert (patient.PatientName, patient.NumberOfPatientRelatedStudies) == ("Núñez^José", 1)
    assert (found.PatientName, found.ModalitiesInStudy, found.NumberOfStudyRelatedSeries) == ("Núñez^José", "CT", 2)
    assert [one.NumberOfSeriesRelatedInstances for one in series] == [2, 2]
    assert {one.SOPInstanceUID for one in images} == {one.SOPInstanceUID for one in study[:2]}
    assert {one.Rows for one in images} == {8}


async def test_a_peer_that_sees_one_modality_is_told_of_that_alone(archive, modality, workstation):
    ct, report = a_study(series=2)
    report.Modality, report.SOPClassUID = "SR", (sr := "1.2.840.10008.5.1.4.1.1.88.11")
    report.file_meta.MediaStorageSOPClassUID = sr
    await modality.store(ct, report)
    await archive.run("peer", "add", workstation.aet, "127.0.0.1", str(workstation.port), "--see", "Modality=CT")
    uids = {"StudyInstanceUID": ct.StudyInstanceUID}
    told = {"ModalitiesInStudy": "", "SOPClassesInStudy": "", "NumberOfStudyRelatedSeries": ""}
    [patient] = await workstation.find("PATIENT", root="PATIENT", PatientID="", NumberOfPatientRelatedInstances="")
    [study] = await workstation.find("STUDY", **uids, **told)
    [series] = await workstation.find("SERIES", **uids, SeriesInstanceUID="", **told)
    assert patient.NumberOfPatientRelatedInstances == 1
    for found in (study, series):
        assert (found.ModalitiesInStudy, found.SOPClassesInStudy, found.NumberOfStudyRelatedSeries) == (
            "CT",
            ct.SOPClassUID,
            1,
        )
    assert series.SeriesInstanceUID == ct.SeriesInstanceUID
    assert await workstation.find("STUDY", ModalitiesInStudy="SR") == []
    hidden = {"SeriesInstanceUID": report.SeriesInstanceUID}
    assert await workstation.find("IMAGE", **uids, **hidden, SOPInstanceUID="") == []


async def test_every_key_comes_back_and_only_known_ones(modality, workstation):
    await modality.store(an_object(AccessionNumber=""))
    asked = identifier("STUDY", AccessionNumber="", StudyID="", Modality="", KVP=None, StudyInstanceUID="")
    [(status, match), (final, _)] = await answers(workstation, asked)
    assert (status, final) == (SOME_KEYS_UNKNOWN, 0x0000)
    assert (match.AccessionNumber, match.StudyID, match.RetrieveAETitle) == ("", "1", workstation.archive.aet)
    assert "Modality" not in match
    assert "KVP" not in match


@pytest.mark.parametrize(
    ("term", "name", "answered_in"),
    [
        ("ISO_IR 144", "Люкceмбypг^Ива", "ISO_IR 192"),
        ("ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        ("ISO_IR 192", "山田^太郎", "ISO_IR 192"),
        ("ISO_IR 100", "Smith^John", None),
    ],
)
async def test_answers_are_in_a_character_set_that_the_peer_can_read(modality, workstation, term, name, answered_in):
    await modality.store(an_object(SpecificCharacterSet=term, PatientName=name))
    [(_, match), _] = await answers(workstation, identifier("STUDY", PatientName=""))
    assert (match.get("SpecificCharacterSet"), str(match.PatientName)) == (answered_in, name)


async def test_a_peer_that_reads_one_character_set_alone_is_answered_in_that(archive, modality, workstation):
    await modality.store(an_object(SpecificCharacterSet="ISO_IR 192", PatientName="Müller^Łoś"))
    await archive.add_peer(replace(workstation.peer, character_set="ISO_IR 100"))
    [match] = await workstation.find("STUDY", SpecificCharacterSet="ISO_IR 192", PatientName="")
    assert (match.SpecificCharacterSet, match.PatientName) == ("ISO_IR 100", "Müller^Los")


async def test_a_key_is_read_in_the_character_set_that_it_is_written_in(modality, workstation):
    await modality.store(an_object(SpecificCharacterSet="ISO_IR 192", PatientName="Люба^Ива"))
    assert len(await workstation.find("STUDY", SpecificCharacterSet="ISO_IR 144", PatientName="люба*")) == 1


@pytest.mark.settings(query_results=2)
async def test_past_the_limit_the_query_ends_with_an_error(modality, workstation):
    await modality.store(a_study(), a_study())
    assert await statuses(workstation, identifier("STUDY", StudyInstanceUID="")) == [PENDING, PENDING, 0x0000]
    await modality.store(a_study())
    assert await statuses(workstation, identifier("STUDY", StudyInstanceUID="")) == [PENDING, PENDING, 0xA700]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (identifier("SERIES", SeriesInstanceUID=""), 0xA900),
        (identifier("PATIENT", PatientID=""), 0xA900),
        (identifier("BODY", PatientID=""), 0xA900),
        (identifier("STUDY", StudyDate="-"), 0xA900),
        (b"\x08\x00\x52\x00CS\x08\x00STU", 0xC000),
    ],
)
async def test_a_query_that_breaks_the_rules_is_refused(workstation, asked, status):
    assert await statuses(workstation, asked) == [status]


async def test_unknown_peers_may_not_query(modality, workstation):
    await modality.store(an_object())
    workstation.aet = "STRANGER"
    assert await statuses(workstation, identifier("STUDY", StudyInstanceUID="")) == [0x0124]


async def test_a_known_ae_title_from_another_host_may_not_query(archive, modality, workstation):
    await modality.store(an_object())
    for host, expected in (("192.0.2.7", [0x0124]), ("localhost", [PENDING, 0x0000]), ("*", [PENDING, 0x0000])):
        await archive.run("peer", "add", workstation.aet, host, str(workstation.port))
        assert await statuses(workstation, identifier("STUDY", StudyInstanceUID="")) == expected


async def test_relational_queries_and_fuzzy_names_are_agreed_on(modality, workstation):
    await modality.store(a_study(series=2, PatientName="Doe^Jane"))
    asked = identifier("SERIES", PatientName="jane d", SeriesInstanceUID="")
    assert await statuses(workstation, asked) == [0xA900]
    assert await statuses(workstation, asked, extended=b"\1\0\0") == [0x0000]
    assert await statuses(workstation, asked, extended=b"\1\0\1") == [PENDING, PENDING, 0x0000]


async def many_studies(archive, number: int) -> None:
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    rows = "SELECT '1.2.' || n, to_char(n, 'FM00000000') FROM generate_series(1, $1) n"
    await connection.execute(f"INSERT INTO core.study (study_uid, study_date) {rows}", number)
    await connection.close()


async def cancelled_after_s(association, wait_s: float) -> float:
    """Seconds from the C-CANCEL of a query, sent after its first answer or after `wait_s`, until the response that ends it."""
    responses = association.find(STUDY_ROOT, identifier("STUDY", StudyInstanceUID=""))
    first = asyncio.ensure_future(anext(responses))
    await asyncio.wait((first,), timeout=wait_s)
    await association.cancel()
    asked_at = time.monotonic()
    rest = [await first, *[response async for response in responses]]
    assert rest[-1][0] == CANCELLED
    return time.monotonic() - asked_at


@pytest.mark.settings(query_results=0)
async def test_a_query_whose_answers_stream_is_cancelled_within_200_ms(archive, workstation):
    await many_studies(archive, 20_000)
    contexts = [ProposedContext(STUDY_ROOT, UNCOMPRESSED)]
    async with associate(archive.peer, contexts, calling_aet=workstation.aet) as association:
        took = [await cancelled_after_s(association, wait_s=30) for _ in range(7)]
    assert median(took) < 0.2


async def test_a_query_that_the_database_is_at_is_cancelled_within_200_ms(archive, workstation):
    await many_studies(archive, 1)
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    contexts = [ProposedContext(STUDY_ROOT, UNCOMPRESSED)]
    async with associate(archive.peer, contexts, calling_aet=workstation.aet) as association, connection.transaction():
        await connection.execute("LOCK core.study")
        took = [await cancelled_after_s(association, wait_s=0.3) for _ in range(7)]
    await connection.close()
    assert median(took) < 0.2


async def queries_noted(archive) -> list[asyncpg.Record]:
    await archive.stop()
    connection = await asyncpg.connect(archive.environment["CHARRUA_DATABASE_URL"])
    rows = await connection.fetch("SELECT * FROM core.audit WHERE event = '110112' ORDER BY id")
    await connection.close()
    return list(rows)


async def test_queries_are_in_the_audit_trail_without_their_values(archive, workstation):
    await workstation.find("STUDY", PatientName="Doe*")
    [row] = await queries_noted(archive)
    assert (row["who"], row["succeeded"]) == (workstation.aet, True)
    assert "00100010" in row["detail"]
    assert "Doe" not in row["detail"]


@pytest.mark.settings(query_results=0)
async def test_queries_that_were_refused_or_broken_off_are_in_the_audit_trail(archive, workstation):
    await statuses(workstation, identifier("SERIES", SeriesInstanceUID=""))
    workstation.aet = "STRANGER"
    await statuses(workstation, identifier("STUDY", StudyInstanceUID=""))
    await many_studies(archive, 20_000)
    contexts = [ProposedContext(STUDY_ROOT, UNCOMPRESSED)]
    async with associate(archive.peer, contexts, calling_aet="WORKSTATION") as association:
        await anext(association.find(STUDY_ROOT, identifier("STUDY", StudyInstanceUID="")))
        await association.abort()
    rows = await queries_noted(archive)
    assert [(row["who"], row["succeeded"]) for row in rows] == [
        ("WORKSTATION", False),
        ("STRANGER", False),
        ("WORKSTATION", False),
    ]
    assert [orjson.loads(row["detail"])["status"] for row in rows[:2]] == ["A900", "0124"]
