"""Command sets against pydicom, and against damage."""

from __future__ import annotations

import io
import random
import time

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from charrua_core.dicom import Command, CommandField
from charrua_core.dicom.command import CommandDamaged, decode_command, encode_command

STORE = Command(
    CommandField.C_STORE,
    7,
    affected_sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    affected_sop_instance_uid="1.2.3.4",
    priority=2,
    data_set_type=1,
    move_originator_aet="WS1",
    move_originator_message_id=9,
)


def test_a_command_is_read_as_it_was_written():
    assert decode_command(encode_command(STORE)) == STORE


def test_pydicom_reads_our_command():
    read = dcmread(io.BytesIO(encode_command(STORE)), force=True)
    assert read.AffectedSOPInstanceUID == "1.2.3.4"
    assert read.MoveOriginatorApplicationEntityTitle == "WS1"
    assert read.CommandGroupLength == len(encode_command(STORE)) - 12
    assert len(encode_command(STORE)) % 2 == 0


def test_we_read_pydicoms_command():
    dataset = Dataset()
    dataset.CommandField, dataset.MessageIDBeingRespondedTo, dataset.Status = 0x8001, 3, 0xB000
    dataset.CommandDataSetType = 0x0101
    dataset.OffendingElement = [0x00100010, 0x00100020]
    dataset.ErrorComment = "odd"
    command = decode_command(_encoded(dataset))
    assert (command.status, command.message_id_being_responded_to, command.error_comment) == (0xB000, 3, "odd")
    assert command.offending_element == (0x00100010, 0x00100020)
    assert command.is_response
    assert not command.has_data


def _encoded(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def test_elements_that_nobody_knows_are_kept():
    command = decode_command(encode_command(STORE) + b"\0\0\1\x50\4\0\0\0abcd")
    assert command.unknown == {0x5001: b"abcd"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        encode_command(STORE)[:-1],
        b"\x08\0\0\1\2\0\0\0\1\0",
        b"\0\0\0\1\xff\xff\xff\xff\1\0",
        b"\0\0\0\1\1\0\0\0\1",
        b"\0\0\x10\1\2\0\0\0\1\0",
    ],
    ids=["empty", "two bytes", "cut short", "group 0008", "undefined length", "one-byte short", "no command field"],
)
def test_what_is_no_command_set_is_refused(data):
    with pytest.raises(CommandDamaged):
        decode_command(data)


def test_damage_is_refused_or_read_and_nothing_else():
    random.seed(2)
    for _ in range(5000):
        damaged = bytearray(encode_command(STORE))
        for _ in range(random.randint(1, 4)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        try:
            decode_command(bytes(damaged))
        except CommandDamaged:
            continue


def test_a_store_command_is_read_in_microseconds():
    data = encode_command(STORE)
    started = time.perf_counter()
    for _ in range(1000):
        decode_command(data)
    assert (time.perf_counter() - started) / 1000 < 0.0002
