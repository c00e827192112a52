"""Recordings: samples as physical values in every form that PS3.3 has, and sheets that can be measured with a ruler."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.waveforms import multiplex_array
from pypdf import PdfReader

from charrua_core.errors import CharruaError, DocumentTooLarge, DocumentUnreadable, NotRenderable
from charrua_core.imaging.documents import Code, read_recording, render_document, samples
from charrua_core.imaging.documents.companding import A_LAW, MU_LAW
from charrua_core.imaging.documents.leads import STANDARD, lead
from charrua_core.imaging.documents.recording import draw, first_sheet
from charrua_core.imaging.documents.waveform import Channel, Limits
from charrua_core.testing.documents import a_code, a_document, a_group, a_recording
from charrua_core.testing.outside import DATA, with_data

ECG = "ecg/waveform_ecg.dcm"
HEMODYNAMIC, VOICE, EEG = (f"1.2.840.10008.5.1.4.1.1.9.{number}" for number in ("2.1", "4.1", "7.1"))
GENERAL_ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"


def second(values: list[int], kind: str = "<i2") -> bytes:
    return np.array(values, kind).tobytes()


@with_data
@pytest.mark.parametrize("number", [0, 1])
def test_the_samples_are_those_that_pydicom_reads(number: int, real: Callable[..., Any]) -> None:
    header, stored = real(ECG)
    group = read_recording(header).groups[number]
    expected = multiplex_array(pydicom.dcmread(DATA / ECG), number, as_raw=False).T
    np.testing.assert_allclose(samples(group, stored), expected)


@pytest.mark.parametrize(
    ("interpretation", "bits", "raw", "values"),
    [
        ("SB", 8, bytes([0, 127, 128, 255]), [0, 127, -128, -1]),
        ("UB", 8, bytes([0, 127, 128, 255]), [0, 127, 128, 255]),
        ("MB", 8, bytes([0x00, 0x80, 0x7F, 0xFF]), [-32124, 32124, 0, 0]),
        ("AB", 8, bytes([0x2A, 0xAA, 0x55, 0xD5]), [-32256, 32256, -8, 8]),
        ("SS", 16, second([-32768, -1, 0, 32767]), [-32768, -1, 0, 32767]),
        ("US", 16, second([0, 1, 32768, 65535], "<u2"), [0, 1, 32768, 65535]),
        ("SL", 32, second([-(2**31), -1, 0, 2**31 - 1], "<i4"), [-(2**31), -1, 0, 2**31 - 1]),
        ("UL", 32, second([0, 1, 2**31, 2**32 - 1], "<u4"), [0, 1, 2**31, 2**32 - 1]),
        ("SV", 64, second([-(2**40), -1, 0, 2**40], "<i8"), [-(2**40), -1, 0, 2**40]),
        ("UV", 64, second([0, 1, 2**40, 2**41], "<u8"), [0, 1, 2**40, 2**41]),
    ],
)
@pytest.mark.parametrize("transfer_syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"])
@pytest.mark.parametrize("times", [1, 1000], ids=["inline", "in the file"])
def test_samples_of_every_interpretation(
    interpretation: str,
    bits: int,
    raw: bytes,
    values: list[int],
    transfer_syntax: str,
    times: int,
    stored: Callable[..., Any],
) -> None:
    told = {"WaveformSampleInterpretation": interpretation, "WaveformBitsAllocated": bits}
    group = a_group(raw * times, ["I", "II"], **told, NumberOfWaveformSamples=2 * times)
    header, file = stored(a_recording(group, transfer_syntax=transfer_syntax))
    found = samples(read_recording(header).groups[0], file)
    assert found.shape == (2, 2 * times)
    assert found[:, :2].tolist() == [values[::2], values[1::2]]


@pytest.mark.parametrize("times", [1, 1000], ids=["inline", "in the file"])
def test_samples_of_a_big_endian_object(times: int, stored: Callable[..., Any]) -> None:
    group = a_group(second([1, -2, 3, -4] * times, ">i2"), ["I", "II"])
    header, file = stored(a_recording(group, transfer_syntax="1.2.840.10008.1.2.2"))
    assert samples(read_recording(header).groups[0], file)[:, :2].tolist() == [[1, 3], [-2, -4]]


@pytest.mark.parametrize(
    ("law", "codes"),
    [
        (MU_LAW, {0x00: -32124, 0x0F: -16764, 0x10: -15996, 0x7E: -8, 0x7F: 0, 0x80: 32124, 0xFE: 8, 0xFF: 0}),
        (A_LAW, {0x55: -8, 0xD5: 8, 0x54: -24, 0x2A: -32256, 0xAA: 32256, 0x80: 5504, 0x00: -5504}),
    ],
    ids=["µ-law", "A-law"],
)
def test_companded_samples_are_those_of_g711(law: Any, codes: dict[int, int]) -> None:
    assert {code: law[code] for code in codes} == codes


def test_sensitivity_correction_and_baseline_make_values_physical(stored: Callable[..., Any]) -> None:
    group = a_group(second([10, 20]), ["I"])
    channel = group.ChannelDefinitionSequence[0]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = "2", "1.5", "100"
    header, file = stored(a_recording(group))
    assert samples(read_recording(header).groups[0], file).tolist() == [[130, 160]]


def test_a_padding_value_is_no_sample(stored: Callable[..., Any]) -> None:
    group = a_group(second([5, -32768, 7]), ["I"], WaveformPaddingValue=second([-32768]))
    header, file = stored(a_recording(group))
    values = samples(read_recording(header).groups[0], file)[0]
    assert (values[0], np.isnan(values[1]), values[2]) == (5, True, 7)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"NumberOfWaveformSamples": 9000}, DocumentUnreadable),
        ({"NumberOfWaveformChannels": 3}, DocumentUnreadable),
        ({"WaveformSampleInterpretation": "XX"}, DocumentUnreadable),
        ({"WaveformBitsAllocated": 12}, DocumentUnreadable),
        ({"SamplingFrequency": "0"}, DocumentUnreadable),
        ({"SamplingFrequency": "-5"}, DocumentUnreadable),
        ({"NumberOfWaveformSamples": 0xFFFFFFFF}, CharruaError),
        ({"SamplingFrequency": "1e300"}, DocumentUnreadable),
        ({"SamplingFrequency": "1e-300"}, DocumentUnreadable),
        ({"ChannelDefinitionSequence": []}, DocumentUnreadable),
    ],
)
@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml"])
def test_a_recording_that_contradicts_itself_is_refused(
    change: dict[str, Any], error: type[CharruaError], media_type: str, stored: Callable[..., Any]
) -> None:
    header, file = stored(a_recording(a_group(second([0] * 2000), ["I", "II"], **change)))
    with pytest.raises(error):
        render_document(header, media_type, file)


def test_a_recording_without_a_waveform_is_refused(stored: Callable[..., Any]) -> None:
    with pytest.raises(DocumentUnreadable):
        read_recording(stored(a_recording())[0])
    with pytest.raises(NotRenderable):
        read_recording(stored(a_document())[0])


def test_a_file_that_was_cut_off_meanwhile_is_refused(stored: Callable[..., Any]) -> None:
    header, file = stored(a_recording(a_group(second([0] * 2000), ["I"])))
    with open(file.path, "r+b") as opened:
        opened.truncate(file.size_bytes - 100)
    with pytest.raises(DocumentUnreadable, match="past the end"):
        samples(read_recording(header).groups[0], file)


def test_more_samples_than_the_limit_are_refused_and_the_first_of_them_are_not(stored: Callable[..., Any]) -> None:
    header, file = stored(a_recording(a_group(second([0] * 20_000), ["I", "II"])))
    group = read_recording(header).groups[0]
    with pytest.raises(DocumentTooLarge):
        samples(group, file, Limits(samples=10_000))
    assert samples(group, file, Limits(samples=10_004), longest_s=10).shape == (2, 5001)


@pytest.mark.parametrize(
    ("value", "meaning", "label", "name"),
    [
        ("5.6.3-9-1", "Lead I (Einthoven)", "", "I"),
        ("5.6.3-9-61", "Lead III", "", "III"),
        ("2:64", "Lead aVF", "", "aVF"),
        ("2:8", "Lead V6", "", "V6"),
        ("2:100", "Lead X", "I", ""),
        ("", "", "V3", "V3"),
        ("", "", "avr", "aVR"),
        ("", "", "Lead_II", "II"),
        ("x", "Lead V2", "", "V2"),
        ("x", "Lead V7", "", ""),
        ("x", "Iliac", "IVC", ""),
    ],
)
def test_a_lead_is_known_by_its_code_or_its_words(value: str, meaning: str, label: str, name: str) -> None:
    code = Code(value, "99TEST", meaning) if value or meaning else None
    assert lead(Channel(1, label, code, 1.0, None, 0.0)) == name


def curves(svg: str) -> list[list[tuple[float, float]]]:
    """The points of the curves of a drawing."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*stroke-linejoin="round"/>', svg)
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path)] for path in paths]


def twelve_leads(seconds: float, millivolts: float = 1.0) -> Dataset:
    """All leads with a step of so many millivolts in the middle of each second, 500 samples a second."""
    step = np.where(np.arange(int(500 * seconds)) % 500 < 250, 0, millivolts * 1000).astype("<i2")
    return a_group(np.repeat(step, 12).tobytes(), STANDARD)


def test_a_millivolt_is_ten_millimetres_and_a_second_twenty_five(stored: Callable[..., Any]) -> None:
    header, file = stored(a_recording(twelve_leads(10)))
    recording = read_recording(header)
    sheet = first_sheet(recording, file)
    *short, rhythm = curves(sheet.svg())
    assert len(short) == 12
    heights = {round(y, 2) for _, y in rhythm}
    assert heights == {105.0, 95.0}
    rises = [x for (x, y), (_, next_y) in pairwise(rhythm) if next_y < y]
    assert np.diff(rises) == pytest.approx([25.0] * 9, abs=0.011)
    assert rhythm[-1][0] - rhythm[0][0] == pytest.approx(249.95)
    assert f'width="{sheet.width_mm:g}mm" height="{sheet.height_mm:g}mm"' in sheet.svg()


@with_data
def test_a_twelve_lead_sheet_names_every_lead_and_the_scale(real: Callable[..., Any]) -> None:
    made = render_document(real(ECG)[0], "image/svg+xml", real(ECG)[1]).body
    assert isinstance(made, bytes)
    words = re.findall(r">([^<>]+)</text>", made.decode())
    assert sorted(words[1:14]) == sorted([*STANDARD, "II"])
    assert words[0] == "Anonymous · 642341 · 2013-01-25 10:59:19"
    assert "25 mm/s · 10 mm/mV · 0.05-300 Hz · 1000 samples/s" in words


@with_data
def test_the_page_of_an_electrocardiogram_says_what_the_device_found(real: Callable[..., Any]) -> None:
    header, stored = real(ECG)
    made = render_document(header, "text/html", stored).body
    assert isinstance(made, bytes)
    assert "RITMO SINUSALE; ECG NORMALE" in made.decode()
    assert "QRS Duration 75 ms" in made.decode()
    assert made.count(b"<figure") == 2


def test_a_spike_of_one_sample_is_drawn(stored: Callable[..., Any]) -> None:
    values = np.zeros(5000, "<i2")
    values[4321] = 1000
    header, file = stored(a_recording(a_group(values.tobytes(), ["LV"]), sop_class_uid=HEMODYNAMIC))
    recording = read_recording(header)
    (curve,) = curves(first_sheet(recording, file).svg())
    assert len(curve) < 2000
    lowest, highest = max(y for _, y in curve), min(y for _, y in curve)
    assert lowest - highest == pytest.approx(45.0)


def test_a_gap_is_no_line(stored: Callable[..., Any]) -> None:
    values = [1] * 500 + [-32768] * 500 + [1] * 500
    group = a_group(second(values), ["LV"], WaveformPaddingValue=second([-32768]))
    header, file = stored(a_recording(group, sop_class_uid=HEMODYNAMIC))
    made = render_document(header, "image/svg+xml", file).body
    assert isinstance(made, bytes)
    (path,) = re.findall(rb'<path d="([^"]*)"[^>]*stroke-linejoin', made)
    assert path.count(b"M") == 2


@pytest.mark.parametrize(
    ("group", "sop_class_uid", "label"),
    [
        (twelve_leads(10), GENERAL_ECG, "Electrocardiogram"),
        (twelve_leads(1.2), GENERAL_ECG, "Electrocardiogram, 1.2 s"),
        (twelve_leads(3600), GENERAL_ECG, "Electrocardiogram, first 10 s of 1 h 0 min"),
        (a_group(second([0, 1] * 1000), ["I", "II"]), GENERAL_ECG, "Electrocardiogram"),
        (a_group(second([0, 1] * 1000), ["Fp1", "Fp2"]), EEG, "Waveforms"),
        (a_group(second(range(64 * 100)), [f"C{n}" for n in range(64)]), EEG, "Waveforms"),  # type: ignore[arg-type]
        (a_group(second([0]), ["LV"]), HEMODYNAMIC, "Waveforms"),
        (a_group(second([-32768, 32767] * 3), ["LV"]), HEMODYNAMIC, "Waveforms"),
    ],
    ids=["12 leads", "short", "an hour", "2 leads", "EEG", "64 channels", "one sample", "full swing"],
)
def test_every_kind_of_recording_is_drawn(
    group: Dataset, sop_class_uid: str, label: str, stored: Callable[..., Any]
) -> None:
    header, file = stored(a_recording(group, sop_class_uid=sop_class_uid))
    recording = read_recording(header)
    assert first_sheet(recording, file).label.startswith(label)
    for media_type in ("text/html", "application/pdf", "image/png"):
        assert len(render_document(header, media_type, file).body) > 1000  # type: ignore[arg-type]


def test_channels_that_nobody_calibrated_are_drawn_in_steps(stored: Callable[..., Any]) -> None:
    group = twelve_leads(10)
    for channel in group.ChannelDefinitionSequence:
        del channel.ChannelSensitivity, channel.ChannelSensitivityUnitsSequence
    header, file = stored(a_recording(group))
    recording = read_recording(header)
    assert first_sheet(recording, file).label.startswith("Waveforms")
    assert recording.groups[0].channels[0].units_text == "steps"


def test_of_sound_a_page_says_how_long_it_is(stored: Callable[..., Any]) -> None:
    told = {"WaveformSampleInterpretation": "MB", "WaveformBitsAllocated": 8, "SamplingFrequency": "8000"}
    group = a_group(bytes(800_000), ["Voice"], **told, NumberOfWaveformSamples=800_000)
    header, file = stored(a_recording(group, sop_class_uid=VOICE))
    made = render_document(header, "text/html", file).body
    assert isinstance(made, bytes)
    assert "1 min 40 s, 1 channel, 8000 samples/s" in made.decode()
    with pytest.raises(NotRenderable):
        render_document(header, "image/svg+xml", file)


def test_words_of_a_recording_are_no_markup(stored: Callable[..., Any]) -> None:
    group = a_group(second([0, 1] * 500), ["<script>&\"'"], MultiplexGroupLabel="<b>]]>")
    header, file = stored(a_recording(group, sop_class_uid=HEMODYNAMIC, PatientName="<script>alert(1)</script>"))
    for media_type in ("image/svg+xml", "text/html"):
        made = render_document(header, media_type, file).body
        assert isinstance(made, bytes)
        assert b"<script" not in made
        assert b"<b>" not in made


def test_annotations_of_single_beats_are_left_out_of_the_head(stored: Callable[..., Any]) -> None:
    whole, beat = Dataset(), Dataset()
    whole.ReferencedWaveformChannels, beat.ReferencedWaveformChannels = [1, 0], [1, 0]
    whole.UnformattedTextValue, beat.UnformattedTextValue = "Sinus rhythm", "Fusion beat"
    beat.TemporalRangeType, beat.ReferencedSamplePositions = "POINT", [100]
    header, file = stored(a_recording(twelve_leads(10), WaveformAnnotationSequence=[whole, beat]))
    made = render_document(header, "text/html", file).body
    assert isinstance(made, bytes)
    assert b"Sinus rhythm" in made
    assert b"Fusion beat" not in made


def test_a_group_knows_how_long_it_is(stored: Callable[..., Any]) -> None:
    group = read_recording(stored(a_recording(twelve_leads(2)))[0]).groups[0]
    assert (group.duration_s, replace(group, sampling_hz=250.0).duration_s) == (2.0, 4.0)


def test_units_of_a_channel_are_told(stored: Callable[..., Any]) -> None:
    group = a_group(second([0, 1]), ["Ao"])
    group.ChannelDefinitionSequence[0].ChannelSensitivityUnitsSequence = a_code(
        "millimeter of mercury", "mm[Hg]", "UCUM"
    )
    header, _ = stored(a_recording(group, sop_class_uid=HEMODYNAMIC))
    assert read_recording(header).groups[0].channels[0].units_text == "mmHg"


@pytest.mark.parametrize(
    ("names", "sop_class_uid", "sheets"),
    [
        ([*STANDARD, "V7", "V8", "V9"], GENERAL_ECG, [13, 3]),
        ([f"E{n}" for n in range(10)], GENERAL_ECG, [4, 4, 2]),
        ([f"C{n}" for n in range(100)], EEG, [24, 24, 24, 24, 4]),
        (["C1"], EEG, [1]),
    ],
)
def test_every_channel_is_drawn_and_no_sheet_is_higher_than_its_paper(
    names: list[str], sop_class_uid: str, sheets: list[int], stored: Callable[..., Any]
) -> None:
    ramp = np.tile(np.arange(5000, dtype="<i2")[:, None], len(names))
    header, file = stored(a_recording(a_group(ramp.tobytes(), names), sop_class_uid=sop_class_uid))
    recording = read_recording(header)
    drawn = list(draw(recording, recording.groups[0], file))
    assert [len(curves(sheet.svg())) for sheet in drawn] == sheets
    assert max(sheet.height_mm for sheet in drawn) <= 140
    pdf = render_document(header, "application/pdf", file).body
    assert isinstance(pdf, bytes)
    assert len(PdfReader(io.BytesIO(pdf)).pages) == len(sheets)


def test_more_sheets_than_a_page_has_are_told(stored: Callable[..., Any]) -> None:
    header, file = stored(a_recording(*[a_group(second([0, 1]), ["C1"]) for _ in range(40)], sop_class_uid=EEG))
    made = render_document(header, "text/html", file).body
    assert isinstance(made, bytes)
    assert made.count(b"<figure") == 32
    assert b"The recording has 40 groups of channels; not all are drawn." in made
