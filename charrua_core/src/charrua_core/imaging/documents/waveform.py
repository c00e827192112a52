"""Recordings over time (PS3.3 C.10.9): multiplex groups of channels, their samples as physical values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrua_core.errors import DocumentTooLarge, DocumentUnreadable, NotRenderable
from charrua_core.imaging.documents import attributes as a
from charrua_core.imaging.documents.attributes import Code
from charrua_core.imaging.documents.companding import A_LAW, MU_LAW
from charrua_core.imaging.documents.sopclasses import is_waveform
from charrua_core.imaging.documents.stored import StoredFile, bulk_bytes
from charrua_core.imaging.documents.subject import Subject, read_subject
from charrua_core.imaging.documents.values import Measured, units_sign
from charrua_core.types import DicomJson

WAVEFORM_SEQUENCE = "54000100"
WAVEFORM_DATA = "54001010"

_SLOWEST_HZ, _FASTEST_HZ = 1e-6, 1e9
_TYPES = {
    ("SB", 8): "<i1",
    ("UB", 8): "<u1",
    ("MB", 8): "<u1",
    ("AB", 8): "<u1",
    ("SS", 16): "<i2",
    ("US", 16): "<u2",
    ("SL", 32): "<i4",
    ("UL", 32): "<u4",
    ("SV", 64): "<i8",
    ("UV", 64): "<u8",
}
"""Waveform Sample Interpretation and Waveform Bits Allocated → how samples lie, in little endian (PS3.3 C.10.9.1.5)."""
_COMPANDED = {"MB": MU_LAW, "AB": A_LAW}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one recording may cost; past one of them DocumentTooLarge is raised."""

    groups: int = 64
    channels: int = 1024
    """In one group."""
    samples: int = 32 << 20
    """Of all channels together, decoded at a time for one group."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a multiplex group, as its definition says (PS3.3 C.10.9.1.4)."""

    number: int
    """Within its group, from 1."""
    label: str
    source: Code | None
    sensitivity: float | None
    """Units per step of a sample, correction factor included; None where it is not told."""
    units: Code | None
    baseline: float
    """In the units, of sample value 0."""
    filter_low_hz: float | None = None
    filter_high_hz: float | None = None
    notch_hz: float | None = None
    skew_s: float = 0.0

    @property
    def name(self) -> str:
        """What the channel is called."""
        return self.label or (self.source.text if self.source else "") or f"Channel {self.number}"

    @property
    def units_text(self) -> str:
        """The units of the values, `steps` where nobody told what a step is worth."""
        if self.sensitivity is None:
            return "steps"
        return units_sign(self.units) if self.units else ""


@dataclass(frozen=True, slots=True)
class Group:
    """Channels recorded together: so many samples of each, in step."""

    number: int
    """From 1."""
    label: str
    originality: str
    """ORIGINAL or DERIVED."""
    sampling_hz: float
    number_of_samples: int
    """Of each channel."""
    offset_s: float
    channels: tuple[Channel, ...]
    interpretation: str
    bits_allocated: int
    padding: int | None = None
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    """The element Waveform Data, inline or where it lies in the file."""

    @property
    def duration_s(self) -> float:
        """How long the recording is."""
        return self.number_of_samples / self.sampling_hz


@dataclass(frozen=True, slots=True)
class Annotation:
    """Something said of the recording: a text, a code, or a value (PS3.3 C.10.10)."""

    name: str
    text: str
    group: int
    """0 for the whole recording."""
    samples: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """One object's waveforms."""

    sop_class_uid: str
    sop_instance_uid: str
    subject: Subject
    acquired_at: str
    groups: tuple[Group, ...]
    annotations: tuple[Annotation, ...]


def read_recording(header: DicomJson, limits: Limits | None = None) -> Recording:
    """The recording that an object is, from its header with edits applied; reads no sample.

    Raises NotRenderable for an object of another kind, DocumentUnreadable for one that has no waveform or contradicts
    itself, DocumentTooLarge past the limits.
    """
    limits = limits or Limits()
    sop_class_uid = a.text(header, "00080016")
    if not is_waveform(sop_class_uid):
        raise NotRenderable("the object is no waveform")
    items = a.items(header, WAVEFORM_SEQUENCE)
    if not items:
        raise DocumentUnreadable("the object has no Waveform Sequence")
    if len(items) > limits.groups:
        raise DocumentTooLarge(f"the recording has more than {limits.groups} multiplex groups")
    return Recording(
        sop_class_uid,
        a.text(header, "00080018"),
        read_subject(header),
        a.moment(a.text(header, "0008002A")),
        tuple(_group(item, number, limits) for number, item in enumerate(items, 1)),
        tuple(_annotation(item) for item in a.items(header, "0040B020")),
    )


def _group(item: DicomJson, number: int, limits: Limits) -> Group:
    definitions = a.items(item, "003A0200")
    sampling_hz = a.number(item, "003A001A") or 0.0
    told = a.count(item, "003A0005")
    if not definitions or told not in {0, len(definitions)}:
        raise DocumentUnreadable(f"multiplex group {number} defines {len(definitions)} of {told} channels")
    if len(definitions) > limits.channels:
        raise DocumentTooLarge(f"multiplex group {number} has more than {limits.channels} channels")
    if not _SLOWEST_HZ <= sampling_hz <= _FASTEST_HZ:
        raise DocumentUnreadable(f"multiplex group {number} has no possible sampling frequency")
    interpretation = a.text(item, "54001006").upper()
    return Group(
        number,
        a.text(item, "003A0020"),
        a.text(item, "003A0004").upper(),
        sampling_hz,
        a.count(item, "003A0010"),
        (a.number(item, "00181068") or 0.0) / 1000,
        tuple(_channel(one, place, sampling_hz) for place, one in enumerate(definitions, 1)),
        interpretation,
        a.count(item, "54001004"),
        _padding(item, interpretation, a.count(item, "54001004")),
        item.get(WAVEFORM_DATA, {}),
    )


def _channel(item: DicomJson, number: int, sampling_hz: float) -> Channel:
    sensitivity, correction = a.number(item, "003A0210"), a.number(item, "003A0212")
    skew_samples = a.number(item, "003A0215") or 0.0
    return Channel(
        number,
        a.text(item, "003A0203"),
        a.code(item, "003A0208"),
        None if sensitivity is None else sensitivity * (1.0 if correction is None else correction),
        a.code(item, "003A0211"),
        a.number(item, "003A0213") or 0.0,
        a.number(item, "003A0220"),
        a.number(item, "003A0221"),
        a.number(item, "003A0222"),
        a.number(item, "003A0214") or skew_samples / sampling_hz,
    )


def _padding(item: DicomJson, interpretation: str, bits: int) -> int | None:
    """The sample value that stands for none, read like a sample."""
    kind = _TYPES.get((interpretation, bits))
    element = item.get("5400100A", {})
    raw = bulk_bytes(element, None, 16) if "InlineBinary" in element else b""
    if kind is None or len(raw) < bits // 8:
        return None
    return int(np.frombuffer(raw[: bits // 8], kind)[0])


def _annotation(item: DicomJson) -> Annotation:
    coded, number = a.code(item, "0040A168"), a.number(item, "0040A30A")
    units = a.code(item, "004008EA")
    concept = a.code(item, "0040A043")
    value = Measured(number, units).text if number is not None else coded.text if coded else ""
    channels = [int(one) for one in a.numbers(item, "0040A0B0")]
    return Annotation(
        concept.text if concept else "",
        a.text(item, "00700006") or value,
        channels[0] if channels else 0,
        tuple(int(one) for one in a.numbers(item, "0040A132")),
    )


def samples(
    group: Group, stored: StoredFile | None, limits: Limits | None = None, longest_s: float | None = None
) -> NDArray[np.float64]:
    """The physical values of a group, float64 of shape (channels, samples), NaN where there is none; blocks.

    `longest_s` leaves out what comes later, which is not read either. Raises DocumentUnreadable for samples of an unknown
    kind and where fewer lie there than told, DocumentTooLarge past the limits.
    """
    kind = _TYPES.get((group.interpretation, group.bits_allocated))
    if kind is None:
        raise DocumentUnreadable(f"multiplex group {group.number} has samples of a kind that PS3.3 does not have")
    length = group.number_of_samples
    wanted = length if longest_s is None else min(length, int(longest_s * group.sampling_hz) + 1)
    if wanted * len(group.channels) > (limits or Limits()).samples:
        raise DocumentTooLarge("the recording has more samples than this archive decodes")
    size = wanted * len(group.channels) * (group.bits_allocated // 8)
    raw = bulk_bytes(group.data, stored, size, first=size)
    if len(raw) < size:
        raise DocumentUnreadable(f"multiplex group {group.number} has fewer samples than it tells")
    return _physical(np.frombuffer(raw, kind).reshape(wanted, len(group.channels)).T, group)


def _physical(encoded: NDArray[Any], group: Group) -> NDArray[np.float64]:
    """Sample × sensitivity × correction + baseline, channel by channel (PS3.3 C.10.9.1.4.2)."""
    expand = _COMPANDED.get(group.interpretation)
    values: NDArray[np.float64] = expand[encoded] if expand is not None else encoded.astype(np.float64)
    scale = [1.0 if channel.sensitivity is None else channel.sensitivity for channel in group.channels]
    baseline = [channel.baseline for channel in group.channels]
    with np.errstate(over="ignore", invalid="ignore"):
        values = values * np.array(scale)[:, None] + np.array(baseline)[:, None]
    values[~np.isfinite(values)] = np.nan
    if group.padding is not None:
        values[encoded == group.padding] = np.nan
    return values
