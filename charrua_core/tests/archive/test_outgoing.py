"""Objects as they leave: byte for byte what came where nothing was edited, else with the edits and the account of them."""

from __future__ import annotations

from io import BytesIO
from time import thread_time

import orjson
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ColorPaletteStorage, JPEG2000Lossless
from pynetdicom.dsutils import decode

from charrua_core.archive.datasets.header import pack_json
from charrua_core.archive.edit import edit
from charrua_core.archive.edit import undo as edit_undo
from charrua_core.archive.edit.values import from_keywords
from charrua_core.archive.index.dump import dump
from charrua_core.archive.outgoing import Opener, open_bulk_data
from charrua_core.archive.regenerate.regenerate import regenerate
from charrua_core.archive.search import OneOf, Query, headers, instances, runs
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study, an_object
from charrua_core.types import SYSTEM, FileRange, Level

COERCING = """
@hookimpl
def coerce_object(candidate):
    return [Coercion({"00100020": {"vr": "LO", "Value": ["COERCED"]}}, "site")]
"""


async def leaving(intake):
    """All objects as they leave, as (Outgoing, bytes)."""
    opener = Opener(intake.app)
    query = Query(Level.IMAGE, relational=True)
    opened = [await opener.open(record) async for record in instances(intake.app, query, SYSTEM)]
    return [(one, b"".join(map(read, one.segments))) for one in opened]


def read(segment):
    if not isinstance(segment, FileRange):
        return segment
    with open(segment.path, "rb") as file:
        file.seek(segment.offset)
        return file.read(segment.length)


async def attributes(intake) -> list[Dataset]:
    return [decode(BytesIO(data), False, True) for _, data in await leaving(intake)]


async def change(intake, level, uid, **values):
    return await edit.edit(intake.app, SYSTEM, level, uid, from_keywords(values))


async def test_an_object_without_edits_is_one_range_of_its_file_equal_to_what_came(intake):
    image = an_object()
    await intake(image)
    [(outgoing, data)] = await leaving(intake)
    assert data == received_of(image).data_set
    assert [type(segment) for segment in outgoing.segments] == [FileRange]
    assert outgoing.sop_instance_uid == image.SOPInstanceUID


async def test_edits_of_all_levels_leave_with_the_values_before_them(intake):
    image = an_object()
    await intake(image)
    await change(intake, Level.STUDY, image.StudyInstanceUID, PatientName="Miller^John", StudyDescription=None)
    await change(intake, Level.SERIES, image.SeriesInstanceUID, SeriesDescription="sagittal")
    await change(intake, Level.IMAGE, image.SOPInstanceUID, InstanceNumber="7")
    [sent] = await attributes(intake)
    assert (str(sent.PatientName), sent.SeriesDescription, sent.InstanceNumber) == ("Miller^John", "sagittal", 7)
    assert "StudyDescription" not in sent and sent.PixelData == image.PixelData
    [original] = sent.OriginalAttributesSequence
    assert original.ReasonForTheAttributeModification == "CORRECT"
    [before] = original.ModifiedAttributesSequence
    assert (str(before.PatientName), before.StudyDescription) == ("Doe^Jane", "Thorax")


async def test_a_value_of_an_edited_object_is_the_one_that_leaves(intake):
    image = an_object()
    await intake(image)
    await change(intake, Level.STUDY, image.StudyInstanceUID, PatientName="Miller^John")
    [record] = [one async for one in instances(intake.app, Query(Level.IMAGE, relational=True), SYSTEM)]

    async def value(path):
        return b"".join(map(read, (await open_bulk_data(intake.app, record, path)).segments))

    assert await value("00100010") == b"Miller^John"
    assert await value("04000561/0/04000550/0/00100010") == b"Doe^Jane"
    assert await value("7FE00010") == image.PixelData


async def metadata(intake) -> list[dict]:
    [run] = (await runs(intake.app, Query(Level.IMAGE, relational=True), SYSTEM))[0]
    found, opener = await headers(intake.app, run.ids), Opener(intake.app)
    return [orjson.loads(await opener.metadata(found[one], "http://pacs/bulkdata")) for one in run.ids]


async def test_metadata_of_an_edited_object_say_what_leaves(intake):
    image = an_object()
    await intake(image)
    await change(intake, Level.STUDY, image.StudyInstanceUID, PatientName="Miller^John", StudyDescription=None)
    await change(intake, Level.IMAGE, image.SOPInstanceUID, InstanceNumber="7")
    [told], [sent] = await metadata(intake), await attributes(intake)
    assert told.pop("7FE00010") == {"vr": "OW", "BulkDataURI": "http://pacs/bulkdata/7FE00010"}
    del sent.PixelData
    assert told == sent.to_json_dict()


async def test_metadata_of_an_object_too_large_for_the_index_come_from_its_file(intake):
    await intake(an_object(PatientName="Doe^Jane"))
    [whole] = await metadata(intake)
    some = pack_json(b'{"00080018":{"vr":"UI","Value":["1.2.3"]}}')
    await intake.run(f"UPDATE core.instance SET unparsed = true, header = '\\x{some.hex()}'")
    assert await metadata(intake) == [whole]


async def test_metadata_of_a_thousand_objects_take_less_than_a_tenth_of_a_second(intake):
    image = an_object()
    await intake(image)
    [run] = (await runs(intake.app, Query(Level.IMAGE, relational=True), SYSTEM))[0]
    [described] = (await headers(intake.app, run.ids)).values()
    opener, began = Opener(intake.app), thread_time()
    for _ in range(1000):
        await opener.metadata(described, "http://pacs/bulkdata")
    assert thread_time() - began < 0.1


async def test_the_same_object_leaves_as_the_same_bytes_each_time(intake):
    image = an_object()
    await intake(image)
    await change(intake, Level.STUDY, image.StudyInstanceUID, PatientName="Miller^John")
    assert [data for _, data in await leaving(intake)] == [data for _, data in await leaving(intake)]


async def test_an_undone_edit_leaves_the_bytes_as_they_came(intake):
    image = an_object()
    await intake(image)
    for level, uid in ((Level.STUDY, image.StudyInstanceUID), (Level.IMAGE, image.SOPInstanceUID)):
        values = {"PatientID": "X"} if level is Level.STUDY else {"InstanceNumber": "7"}
        await edit_undo.undo(intake.app, SYSTEM, (await change(intake, level, uid, **values)).id)
    [(outgoing, data)] = await leaving(intake)
    assert data == received_of(image).data_set
    assert [type(segment) for segment in outgoing.segments] == [FileRange]


async def test_a_moved_series_leaves_as_part_of_its_new_study_and_patient(intake):
    [moved] = a_study(PatientID="A", PatientComments="of A", AccessionNumber="1")
    [other] = a_study(PatientID="B", AccessionNumber="2", PatientAge="044Y")
    await intake(moved)
    await intake(other)
    await edit.assign_series(intake.app, SYSTEM, moved.SeriesInstanceUID, other.StudyInstanceUID)
    await change(intake, Level.STUDY, other.StudyInstanceUID, AccessionNumber="3")
    [sent] = [one for one in await attributes(intake) if one.SOPInstanceUID == moved.SOPInstanceUID]
    assert (sent.StudyInstanceUID, sent.PatientID, sent.AccessionNumber) == (other.StudyInstanceUID, "B", "3")
    assert sent.PatientAge == "044Y" and "PatientComments" not in sent
    assert sent.SeriesInstanceUID == moved.SeriesInstanceUID


async def test_a_study_assigned_to_another_patient_takes_nothing_of_the_former_along(intake):
    image = an_object(OtherPatientIDs="S-1", PatientComments="allergic", IssuerOfPatientID="NORTH")
    await intake(image)
    patient = edit.Patient("0815", patient_name="Roe^Richard", sex="M")
    await edit.assign_study(intake.app, SYSTEM, image.StudyInstanceUID, patient)
    [sent] = await attributes(intake)
    assert (sent.PatientID, str(sent.PatientName), sent.PatientBirthDate) == ("0815", "Roe^Richard", "")
    assert not {"OtherPatientIDs", "PatientComments", "IssuerOfPatientID"} & set(sent.dir())


async def test_a_coerced_object_leaves_coerced_until_an_edit_says_otherwise(intake_of, write_plugin):
    intake = await intake_of(plugins=(write_plugin("coercing", COERCING),))
    image = an_object()
    await intake(image)
    [sent] = await attributes(intake)
    assert sent.PatientID == "COERCED"
    assert sent.OriginalAttributesSequence[0].ReasonForTheAttributeModification == "COERCE"
    await change(intake, Level.STUDY, image.StudyInstanceUID, PatientID="EDITED")
    [sent] = await attributes(intake)
    assert sent.PatientID == "EDITED"


@pytest.mark.parametrize("name", ["Müller^Hans", "山田^太郎", "Иванов^Иван"])
async def test_a_name_in_any_script_leaves_readable(intake, name):
    image = an_object()
    await intake(image)
    await change(intake, Level.STUDY, image.StudyInstanceUID, PatientName=name)
    [sent] = await attributes(intake)
    assert str(sent.PatientName) == name


async def test_a_compressed_object_keeps_its_transfer_syntax_and_its_pixels(intake):
    from pydicom.encaps import encapsulate

    image = an_object(transfer_syntax=JPEG2000Lossless, PixelData=encapsulate([b"\xff\x4f" + bytes(5000)]))
    image["PixelData"].is_undefined_length = True
    await intake(image)
    await change(intake, Level.STUDY, image.StudyInstanceUID, PatientID="0815")
    [(outgoing, data)] = await leaving(intake)
    assert outgoing.transfer_syntax_uid == JPEG2000Lossless
    assert data.endswith(image.PixelData + b"\xfe\xff\xdd\xe0\0\0\0\0")


async def test_an_object_that_belongs_to_no_patient_is_found_and_leaves_as_it_came(intake):
    nobodys = ("StudyInstanceUID", "SeriesInstanceUID", "PatientName", "PatientID", "Modality", "StudyDate")
    palette = an_object(SOPClassUID=ColorPaletteStorage, **dict.fromkeys(nobodys))
    stored = await intake(palette)
    assert stored.study_uid.startswith("2.25.") and stored.series_uid.startswith("2.25.")
    query = Query(Level.STUDY, keys={"0020000D": OneOf("UI", (stored.study_uid,))})
    [record] = [record async for record in instances(intake.app, query, SYSTEM)]
    outgoing = await Opener(intake.app).open(record)
    assert b"".join(map(read, outgoing.segments)) == received_of(palette).data_set
    before = [line async for line in dump(intake.app.db)]
    await regenerate(intake.app)
    assert [line async for line in dump(intake.app.db)] == before
