"""De-identification by PS3.15 annex E: nothing that leaves says who it is about, and what belongs together stays together."""

from __future__ import annotations

import csv
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from charrua_core.archive.datasets.bulk import find_bulk_data
from charrua_core.archive.datasets.deidentify import OPTIONS, Profile, deidentified, mapped_uid
from charrua_core.archive.datasets.overlay import laid_anew
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.archive.datasets.source import SegmentSource
from charrua_core.errors import HeaderDamaged, NotDeidentifiable
from charrua_core.sending.on_the_way import _inline
from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import an_object
from charrua_core.testing.outside import DATA, with_data
from charrua_core.types import FileRange

KEY = b"a key"
SECRET = "Zaphod"


def put_through(data_set: bytes | list, syntax: str, **how) -> tuple[bytes, Dataset]:
    segments = data_set if isinstance(data_set, list) else [data_set]

    def bulk(path, element):
        return _inline(element, find_bulk_data(segments, syntax, path))

    made = laid_anew(segments, syntax, lambda header: deidentified(header, Profile(KEY, **how), bulk))
    with SegmentSource(made) as source:
        whole = source.read(0, source.size)
    return whole, read(whole, syntax)


def read(whole: bytes, syntax: str) -> Dataset:
    from charrua_core.archive.datasets.part10 import file_meta

    return dcmread(BytesIO(file_meta("1.2", "1.2", syntax) + whole), force=True)


def identified() -> Dataset:
    """An image that says who it is about wherever it can."""
    item, deep = Dataset(), Dataset()
    deep.PersonName = f"{SECRET}^deep"
    deep.ReferencedSOPInstanceUID = "1.2.3.4"
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.ReferencedSOPInstanceUID = "1.2.3.4"
    item.PatientComments = SECRET
    item.PurposeOfReferenceCodeSequence = Sequence([deep])
    image = an_object(
        PatientName=f"{SECRET}^X",
        PatientID=f"{SECRET}1",
        PatientAddress=SECRET,
        PatientAge="042Y",
        PatientSex="F",
        StudyDescription=SECRET,
        StudyDate="20240229",
        ContentDate="20240301",
        AcquisitionDateTime="20240229120000.5",
        AccessionNumber=SECRET,
        ReferringPhysicianName=SECRET,
        InstitutionName=f"{SECRET} Hospital",
        DeviceSerialNumber=SECRET,
        StationName=SECRET,
        FrameOfReferenceUID="1.2.3.9",
        ReferencedImageSequence=Sequence([item]),
        BurnedInAnnotation="NO",
    )
    block = image.private_block(0x0009, "VENDOR", create=True)
    block.add_new(0x10, "LO", SECRET)
    image.add_new(0x60003000, "OW", SECRET.encode())
    image.add_new(0x00400275, "SQ", [Dataset()])
    return image


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_nothing_of_the_patient_is_left_anywhere(syntax):
    image = identified()
    image.file_meta.TransferSyntaxUID = syntax
    sent = received_of(image)
    assert SECRET.encode() in sent.data_set
    whole, made = put_through(bytes(sent.data_set), syntax)
    assert SECRET.encode() not in whole
    assert not [element.tag for element in made.iterall() if element.tag.is_private]
    assert made.PixelData == image.PixelData
    assert (made.PatientIdentityRemoved, made.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert [code.CodeValue for code in made.DeidentificationMethodCodeSequence] == ["113100"]
    assert made.StudyDate == "" or made.StudyDate is None
    assert "OriginalAttributesSequence" not in made


def test_what_belongs_together_stays_together():
    image = identified()
    syntax = image.file_meta.TransferSyntaxUID
    _, made = put_through(bytes(received_of(image).data_set), syntax)
    other = an_object(PatientName="Somebody^Else", PatientID=image.PatientID, StudyInstanceUID=image.StudyInstanceUID)
    _, second = put_through(bytes(received_of(other).data_set), syntax)
    assert made.StudyInstanceUID == second.StudyInstanceUID == mapped_uid(image.StudyInstanceUID, KEY)
    assert made.PatientID == second.PatientID != ""
    assert made.SOPClassUID == image.SOPClassUID
    [reference] = made.ReferencedImageSequence
    assert reference.ReferencedSOPInstanceUID == mapped_uid("1.2.3.4", KEY)
    assert reference.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert mapped_uid("1.2.3.4", b"another key") != mapped_uid("1.2.3.4", KEY)
    assert len(mapped_uid("1.2.3.4", KEY)) <= 64


@pytest.mark.parametrize(
    ("option", "kept"),
    [
        ("retain_uids", {"StudyInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"}),
        ("retain_device", {"DeviceSerialNumber", "StationName"}),
        ("retain_institution", {"InstitutionName"}),
        ("retain_full_dates", {"StudyDate", "ContentDate", "AcquisitionDateTime"}),
        ("retain_patient_characteristics", {"PatientAge", "PatientSex"}),
    ],
)
def test_an_option_keeps_what_it_names_and_nothing_else(option, kept):
    image = identified()
    _, made = put_through(
        bytes(received_of(image).data_set), image.file_meta.TransferSyntaxUID, options=frozenset({option})
    )
    every = set().union(*(row[1] for row in OPTIONS_KEEP))
    same = {name for name in every if made.get(name) == image.get(name) and made.get(name)}
    assert same == kept
    assert [code.CodeValue for code in made.DeidentificationMethodCodeSequence] == ["113100", OPTIONS[option][1]]


OPTIONS_KEEP = test_an_option_keeps_what_it_names_and_nothing_else.pytestmark[0].args[1]


def test_shifted_dates_keep_the_days_between_them():
    image = identified()
    whole = bytes(received_of(image).data_set)
    _, made = put_through(whole, image.file_meta.TransferSyntaxUID, options=frozenset({"shift_dates"}))
    from datetime import datetime, timedelta

    study, content = (datetime.strptime(made[name].value, "%Y%m%d") for name in ("StudyDate", "ContentDate"))
    assert content - study == timedelta(days=1)
    assert study != datetime(2024, 2, 29)
    assert made.AcquisitionDateTime == study.strftime("%Y%m%d") + "120000.5"


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned into its pixels"),
        ({"RecognizableVisualFeatures": "YES"}, "can be recognised"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "does not deny it"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, "text that cannot be cleaned"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "document"),
    ],
)
def test_what_may_show_or_say_who_it_is_is_refused(attributes, why):
    image = an_object(**attributes)
    sent = bytes(received_of(image).data_set)
    with pytest.raises(NotDeidentifiable, match=why):
        put_through(sent, image.file_meta.TransferSyntaxUID)
    if "Burned" in str(attributes):
        put_through(sent, image.file_meta.TransferSyntaxUID, allow_burned_in=True)


def real_files():
    if not (DATA / "MANIFEST.csv").exists():
        return []
    with (DATA / "MANIFEST.csv").open(newline="") as file:
        return [row["path"] for row in csv.DictReader(file) if row["state"] == "ok" and int(row["bytes"]) < 2_000_000]


@with_data
def test_real_files_lose_their_patients_and_can_still_be_read():
    done = 0
    for name in real_files():
        path = DATA / name
        meta = read_file_meta(path.read_bytes()[: 1 << 16])
        if not meta.transfer_syntax_uid or path.name.startswith("DICOMDIR") or path.suffix == ".wl":
            continue
        segment = FileRange(path, meta.dataset_offset, path.stat().st_size - meta.dataset_offset)
        before = dcmread(path, stop_before_pixels=True, force=True)
        try:
            _, made = put_through([segment], meta.transfer_syntax_uid, allow_burned_in=True)
        except (NotDeidentifiable, HeaderDamaged):
            continue
        done += 1
        assert made.PatientIdentityRemoved == "YES", name
        assert made.get("SOPInstanceUID") != before.get("SOPInstanceUID"), name
        left = [str(element.value) for element in made.iterall() if element.VR in ("PN", "LO", "SH", "ST", "LT", "UT")]
        for secret in (str(before.get("PatientName", "")), str(before.get("PatientID", ""))):
            if len(secret) > 4:
                assert not [text for text in left if secret in text], name
    assert done > 100
