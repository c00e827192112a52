"""What stands before a data set in a file."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrua_core.archive.datasets.part10 import (
    FileMeta,
    file_meta,
    guess_transfer_syntax,
    new_arrival_id,
    read_file_meta,
)
from charrua_core.errors import HeaderDamaged
from charrua_core.types import IMPLEMENTATION_CLASS_UID, Arrival, Origin

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
ORIGIN = Origin("dimse", "MODALITY", "CHARRUA", "127.0.0.1:40000", "association-1", "")


@pytest.fixture
def arrival() -> Arrival:
    return Arrival(new_arrival_id(), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), ORIGIN)


def test_pydicom_reads_what_is_written(arrival: Arrival) -> None:
    meta = pydicom.dcmread(io.BytesIO(file_meta(CT, "1.2.3", EXPLICIT, arrival))).file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID) == (
        CT,
        "1.2.3",
        EXPLICIT,
    )
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert (meta.SendingApplicationEntityTitle, meta.ReceivingApplicationEntityTitle) == ("MODALITY", "CHARRUA")
    assert meta.SourceApplicationEntityTitle == "MODALITY"


def test_the_group_length_is_that_of_the_group(arrival: Arrival) -> None:
    written = file_meta(CT, "1.2.3.4", IMPLICIT, arrival)
    assert int.from_bytes(written[140:144], "little") == len(written) - 144
    assert len(written) % 2 == 0


@pytest.mark.parametrize("origin", [ORIGIN, Origin("import"), Origin("web", user="José \\ 'x' 山田")])
def test_the_arrival_comes_back_as_it_was(origin: Origin) -> None:
    arrival = Arrival(new_arrival_id(), datetime.now(UTC), origin)
    written = file_meta(CT, "1.2.3", EXPLICIT, arrival)
    assert read_file_meta(written + b"dataset") == FileMeta(EXPLICIT, CT, "1.2.3", len(written), arrival)


def test_it_is_read_from_a_file_too(tmp_path: Path, arrival: Arrival) -> None:
    written = file_meta(CT, "1.2.3", EXPLICIT, arrival)
    path = tmp_path / "object.dcm"
    path.write_bytes(written + bytes(1000))
    with path.open("rb") as file:
        assert read_file_meta(path) == read_file_meta(file.fileno()) == read_file_meta(written)


def test_a_file_of_somebody_else_has_no_arrival(data: Path) -> None:
    assert read_file_meta(data / "sr" / "reportsi.dcm").arrival is None


@pytest.mark.parametrize(
    ("path", "transfer_syntax_uid", "dataset_offset"),
    [
        ("odd/PrivateMDNTags.dcm", IMPLICIT, 0),  # neither preamble nor meta group
        ("rt/rtstruct.dcm", IMPLICIT, 0),
        ("malformed/ExplVR_LitEndNoMeta.dcm", EXPLICIT, 0),
        ("malformed/ExplVR_BigEndNoMeta.dcm", BIG, 0),
        ("malformed/no-meta-length-test.dcm", EXPLICIT, None),
        ("malformed/no_meta_group_length.dcm", IMPLICIT, None),
        ("ts/jpeg-ls/JLSL_RGB_ILV0.dcm", "1.2.840.10008.1.2.4.80", None),  # a meta group without preamble and prefix
    ],
)
def test_unusual_files_are_understood(
    data: Path, path: str, transfer_syntax_uid: str, dataset_offset: int | None
) -> None:
    meta = read_file_meta(data / path)
    assert meta.transfer_syntax_uid == transfer_syntax_uid
    assert dataset_offset is None or meta.dataset_offset == dataset_offset


def test_a_file_that_ends_within_its_meta_group_is_damaged(arrival: Arrival) -> None:
    written = file_meta(CT, "1.2.3", EXPLICIT, arrival)
    for end in range(145, len(written)):
        with pytest.raises(HeaderDamaged):
            read_file_meta(written[:end])


def test_a_damaged_record_of_the_arrival_is_told(arrival: Arrival) -> None:
    written = file_meta(CT, "1.2.3", EXPLICIT, arrival).replace(b'["' + arrival.arrival_id.encode(), b'{"' + b"x" * 32)
    with pytest.raises(HeaderDamaged):
        read_file_meta(written)


@given(
    st.binary(max_size=300), st.sampled_from([b"", bytes(128) + b"DICM", b"DICM", bytes(128) + b"DICM\2\0\0\0UL\4\0"])
)
def test_any_bytes_are_read_or_damaged(tail: bytes, head: bytes) -> None:
    with suppress(HeaderDamaged):
        assert read_file_meta(head + tail).dataset_offset <= len(head + tail)


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\n", b"%PDF-1.4", b"\xff\xd8\xff\xe0aaaa", bytes(200)])
def test_what_is_no_dicom_is_not_guessed(head: bytes) -> None:
    with pytest.raises(HeaderDamaged):
        guess_transfer_syntax(head)


def test_arrival_ids_sort_by_time() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_arrival_id())
        sleep(0.002)
    assert ids == sorted(set(ids))
    assert all(len(arrival_id) == 32 and arrival_id[12] == "7" and arrival_id[16] in "89ab" for arrival_id in ids)
