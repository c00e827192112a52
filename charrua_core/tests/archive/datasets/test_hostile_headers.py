"""A scan of hostile bytes: a header, or HeaderDamaged, in little time and memory; nothing else (reliability D5, D7, D8)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from charrua_core.archive.datasets.header import Budgets, Memo, scan
from charrua_core.archive.datasets.part10 import read_file_meta
from charrua_core.errors import HeaderDamaged
from charrua_core.testing.objects import an_object, part10

IMPLICIT, EXPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
SEEDS = [
    "sr/reportsi.dcm",
    "charset/chrH31.dcm",
    "charset/chrX1.dcm",
    "rt/rtplan.dcm",
    "malformed/rtplan_truncated.dcm",
]
UNDEFINED = 0xFFFFFFFF


@contextmanager
def within(*, seconds: float, mebibytes: int) -> Iterator[None]:
    tracemalloc.start()
    began = thread_time()
    try:
        yield
        assert thread_time() - began < seconds
        assert tracemalloc.get_traced_memory()[1] < mebibytes << 20
    finally:
        tracemalloc.stop()


def test_an_object_cut_within_its_pixels_is_never_taken_for_a_whole_one(data: Path) -> None:
    file = (data / "charset" / "chrH31.dcm").read_bytes()
    meta = read_file_meta(file)
    whole = scan(file, meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)
    for end in range(whole.pixel_data_offset or 0, len(file), 7):
        with pytest.raises(HeaderDamaged):
            scan(file[:end], meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)


@pytest.mark.parametrize("path", ["sr/reportsi.dcm", "rt/rtplan.dcm", "charset/chrH31.dcm"])
def test_cut_at_any_byte_an_object_is_damaged_or_ends_between_elements(data: Path, path: str) -> None:
    meta, file = read_file_meta(data / path), (data / path).read_bytes()
    whole = orjson.loads(scan(file, meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset).json)
    for end in range(meta.dataset_offset, len(file), 3):
        try:
            header = scan(file[:end], meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)
        except HeaderDamaged:
            continue
        assert orjson.loads(header.json).items() <= whole.items()


@pytest.mark.parametrize(
    "lie",
    [
        lambda write: write.element(0x7FE00010, "OW", bytes(500), length=100_000),
        lambda write: write.element(0x7FE00010, "OB", bytes(1000), length=UNDEFINED - 1),
        lambda write: write.element(0x00100010, "PN", b"short", length=60_000),
        lambda write: write.element(0x00081115, "SQ", write.item(b""), length=1 << 30),
        lambda write: write.element(0x00081115, "SQ", write.item(write.element(0x00100020, "LO", b"x", length=400))),
        lambda write: write.element(0x00081115, "SQ", b"\xfe\xff\x00\xe0\xff\x00\x00\x00"),
        lambda write: write.element(0x00081115, "SQ", write.item(b""), length=UNDEFINED),
        lambda write: write.fragments(b"", b"ab")[:-8],
        lambda write: write.fragments(b"", b"ab")[:-9],
        lambda write: b"\xfe\xff\x00\xe0\x00\x00\x00\x00",
        lambda write: b"\x10\x00\x10",
    ],
)
def test_a_forged_length_is_told(write: Any, lie: Callable[[Any], bytes]) -> None:
    with pytest.raises(HeaderDamaged) as damage:
        scan(write.identified(lie(write)), EXPLICIT)
    assert damage.value.dimse_status == 0xC000


def test_another_transfer_syntax_than_the_named_one_is_told(data: Path) -> None:
    file = (data / "sr" / "reportsi.dcm").read_bytes()
    for other in (IMPLICIT, "1.2.840.10008.1.2.2", DEFLATED):
        with pytest.raises(HeaderDamaged):
            scan(file, other, dataset_offset=read_file_meta(file).dataset_offset)


@pytest.mark.parametrize(
    "uid",
    [b"../../../etc/x", b"/etc/cron.d/x", b"..", b".", b"1.2\n3", b"1.2\0.3", b"1." * 33, b"1..2", b"1.2.", b"",
     "١.2".encode(), b"1.2\\1.3", b"CON", b"1 .2"],
)  # fmt: skip
def test_an_unsafe_uid_is_refused(write: Any, uid: bytes) -> None:
    with pytest.raises(HeaderDamaged) as damage:
        scan(write.identified(sop_instance_uid=uid), EXPLICIT)
    assert damage.value.dimse_status == 0xA900


@pytest.mark.parametrize("depth", [65, 10_000])
def test_a_sequence_too_deep_leaves_an_object_that_is_kept_and_marked(write: Any, depth: int) -> None:
    with within(seconds=1, mebibytes=16):
        header = scan(write.identified(write.nested(depth)), EXPLICIT)
    assert header.unparsed
    assert header.study_instance_uid == "1.2.3"


def test_a_sequence_of_64_levels_is_read(write: Any) -> None:
    assert not scan(write.identified(write.nested(64)), EXPLICIT).unparsed


def test_what_follows_a_sequence_that_spent_the_budget_is_still_read(write: Any) -> None:
    items = write.element(0x00081115, "SQ", write.item(b"") * 1_000_000)
    dataset = items + write.identified(write.element(0x00280010, "US", b"\1\0"))
    with within(seconds=20, mebibytes=48):
        header = scan(dataset, EXPLICIT, budgets=Budgets(seconds=15))
    assert header.unparsed
    assert header.rows == 1
    assert "00081115" not in orjson.loads(header.json)


def test_what_follows_a_sequence_that_took_too_long_is_still_read(write: Any) -> None:
    items = write.element(0x00081115, "SQ", write.item(b"") * 100_000)
    header = scan(items + write.identified(), EXPLICIT, budgets=Budgets(seconds=0.05))
    assert header.unparsed


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_what_follows_a_long_sequence_of_undefined_length_is_still_read(write: Any, syntax: str) -> None:
    frame = Dataset()
    frame.FrameContentSequence = [Dataset()]
    frame.FrameContentSequence[0].StackID = "1"
    image = an_object(transfer_syntax=syntax, PerFrameFunctionalGroupsSequence=[frame] * 100)
    for element in image.iterall():
        element.is_undefined_length = element.VR == "SQ"
    meta, file = read_file_meta(part10(image)), part10(image)
    header = scan(file, syntax, dataset_offset=meta.dataset_offset, budgets=Budgets(elements=60))
    assert header.unparsed
    assert header.pixel_data_length == 128
    assert "52009230" not in orjson.loads(header.json)
    with pytest.raises(HeaderDamaged):
        scan(file[:-600], syntax, dataset_offset=meta.dataset_offset, budgets=Budgets(elements=60))


def test_a_million_elements_are_not_read_to_the_end(write: Any) -> None:
    dataset = write.identified(write.element(0x00280010, "US", b"\1\0") * 1_000_000)
    with within(seconds=8, mebibytes=64):
        assert scan(dataset, EXPLICIT).unparsed


@pytest.mark.parametrize("remembered", [False, True])
def test_the_budget_ends_at_the_same_element_however_much_is_remembered(write: Any, remembered: bool) -> None:
    dataset = write.identified(*[write.element(0x00280010 + n, "US", b"\1\0") for n in range(100)])
    memo, budgets = Memo(), Budgets(elements=50)
    for _ in range(3 if remembered else 0):
        scan(dataset, EXPLICIT, memo=memo)
    header = scan(dataset, EXPLICIT, memo=memo, budgets=budgets)
    assert header.unparsed
    assert len(orjson.loads(header.json)) == 50


def test_eight_million_values_of_one_element_stay_in_the_file(write: Any) -> None:
    values = b"1\\" * 8_000_000
    element = b"\x06\x30\x50\x00" + len(values).to_bytes(4, "little") + values
    dataset = as_implicit(write) + element
    with within(seconds=1, mebibytes=8):
        header = scan(dataset, IMPLICIT)
    assert "BulkDataURI" in orjson.loads(header.json)["30060050"]


def as_implicit(write: Any) -> bytes:
    tags = {0x00080016: b"1.2.3\0", 0x00080018: b"1.2.4\0", 0x0020000D: b"1.2.5\0", 0x0020000E: b"1.2.6\0"}
    heads = [(tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") for tag in tags]
    return b"".join(head + b"\6\0\0\0" + uid for head, uid in zip(heads, tags.values(), strict=True))


@pytest.mark.parametrize(
    ("tag", "vr"), [(0x7FE00010, "OW"), (0x0040A160, "UT"), (0x00290010, "UN")], ids=["pixels", "text", "private"]
)
def test_a_deflate_bomb_costs_no_memory_and_little_time(write: Any, tag: int, vr: str) -> None:
    head = write.identified(write.element(tag, vr, b"", length=0xF0000000))
    bomb = write.deflated(head, bytes(1 << 20), times=128)
    with within(seconds=4, mebibytes=8):
        try:
            assert scan(bomb, DEFLATED).unparsed
        except HeaderDamaged as damage:
            assert "ends before" in str(damage)


def test_a_deflated_flood_of_elements_is_cut_off(write: Any) -> None:
    bomb = write.deflated(write.identified(), write.element(0x00280010, "US", b"\1\0") * 1000, times=2000)
    with within(seconds=8, mebibytes=64):
        assert scan(bomb, DEFLATED).unparsed


@pytest.mark.parametrize("cut", [10, 100, 1000])
def test_a_deflated_object_cut_off_is_damaged(data: Path, cut: int) -> None:
    path = data / "ts" / "deflated" / "image_dfl.dcm"
    meta = read_file_meta(path)
    file = path.read_bytes().rstrip(b"\0")[:-cut]
    with pytest.raises(HeaderDamaged):
        scan(file, meta.transfer_syntax_uid, dataset_offset=meta.dataset_offset)


@pytest.mark.parametrize("length", [*range(262_144 - 94, 262_144, 2), 1 << 19, 1 << 20])
def test_a_sound_deflated_object_of_any_length_is_read(write: Any, length: int) -> None:
    header = scan(write.deflated(write.identified(write.element(0x7FE00010, "OW", bytes(length)))), DEFLATED)
    assert header.pixel_data_length == length
    assert not header.unparsed


def test_memory_of_elements_stays_within_its_limit(write: Any) -> None:
    memo = Memo(limit_bytes=1 << 20)
    with within(seconds=20, mebibytes=12):
        for number in range(400):
            texts = [write.element(0x00290010 + n, "LO", b"%d-%d" % (number, n) + b"x" * 500) for n in range(40)]
            scan(write.identified(*texts), EXPLICIT, memo=memo)


@st.composite
def mutations(draw: st.DrawFn, file: bytes) -> bytes:
    mutant = bytearray(file)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(mutant) - 1)))
        kind = draw(st.sampled_from(["set", "insert", "delete", "cut", "length"]))
        if kind == "set":
            mutant[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "insert":
            mutant[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "delete":
            del mutant[at : at + draw(st.integers(1, 64))]
        elif kind == "length":
            mutant[at : at + 4] = draw(
                st.sampled_from([b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"SQ\0\0"])
            )
        else:
            del mutant[at:]
    return bytes(mutant)


@pytest.fixture(scope="module", params=SEEDS)
def seed(request: pytest.FixtureRequest, data: Path) -> tuple[bytes, str]:
    meta = read_file_meta(data / request.param)
    return (data / request.param).read_bytes()[meta.dataset_offset :][:6000], meta.transfer_syntax_uid


WARM = Memo()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_a_mutated_object_is_read_or_damaged_and_alike_whatever_is_remembered(
    seed: tuple[bytes, str], draw: st.DataObject
) -> None:
    mutant = draw.draw(mutations(seed[0]))
    began = perf_counter()
    outcomes = [outcome(mutant, seed[1], memo) for memo in (Memo(), WARM, WARM)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert perf_counter() - began < 7


def outcome(dataset: bytes, transfer_syntax_uid: str, memo: Memo) -> object:
    try:
        header = scan(dataset, transfer_syntax_uid, memo=memo)
    except HeaderDamaged as damage:
        return str(damage)
    orjson.loads(header.json)
    return header


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([IMPLICIT, EXPLICIT, DEFLATED, "1.2.840.10008.1.2.2"]))
def test_any_bytes_are_read_or_damaged(dataset: bytes, transfer_syntax_uid: str) -> None:
    outcome(dataset, transfer_syntax_uid, WARM)
