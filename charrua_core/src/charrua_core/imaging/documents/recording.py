"""From a recording to its page: what was said of it, and its waveforms drawn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from charrua_core.imaging.documents import sheets
from charrua_core.imaging.documents.drawing import Sheet
from charrua_core.imaging.documents.leads import STANDARD, is_twelve_lead, leads, millivolts
from charrua_core.imaging.documents.page import Block, Drawing, Fact, Facts, Heading, Page, Prose
from charrua_core.imaging.documents.sopclasses import AUDIO, ELECTROCARDIOGRAMS, class_name
from charrua_core.imaging.documents.stored import StoredFile
from charrua_core.imaging.documents.waveform import Group, Limits, Recording, samples

_MOST_STATEMENTS = 100
_LONGEST_ABOVE = 240  # characters: what is longer stands below the sheet, which must fit on the page
_MOST_SHEETS = 32


def recording_page(recording: Recording, stored: StoredFile | None, limits: Limits | None = None) -> Page:
    """The page of a recording, all its multiplex groups; reads its samples, blocks.

    Raises DocumentUnreadable and DocumentTooLarge as `waveform.samples`.
    """
    said = [(label, text) for label, text in _said(recording) if text]
    blocks: list[Block] = []
    if recording.sop_class_uid in AUDIO:
        blocks.append(Facts(tuple(_described(group) for group in recording.groups)))
    else:
        blocks.extend(_drawn(recording, stored, limits))
    blocks.extend(Prose(label, text) for label, text in said if len(text) > _LONGEST_ABOVE)
    return Page(
        title=class_name(recording.sop_class_uid).removesuffix(" Waveform"),
        subject=tuple(recording.subject.rows()),
        state=tuple((label, text) for label, text in said if len(text) <= _LONGEST_ABOVE),
        blocks=tuple(blocks),
        foot=f"{class_name(recording.sop_class_uid)} {recording.sop_instance_uid}",
        landscape=True,
    )


def first_sheet(recording: Recording, stored: StoredFile | None, limits: Limits | None = None) -> Sheet:
    """The first drawing of the first multiplex group."""
    return next(draw(recording, recording.groups[0], stored, limits))


def draw(
    recording: Recording, group: Group, stored: StoredFile | None, limits: Limits | None = None
) -> Iterator[Sheet]:
    """All channels of one multiplex group: to scale where they are of an electrocardiogram and in volts."""
    rest = list(range(len(group.channels)))
    if recording.sop_class_uid in ELECTROCARDIOGRAMS:
        values = samples(group, stored, limits, longest_s=sheets.SHEET_SECONDS)
        if is_twelve_lead(group):
            yield sheets.twelve_lead(group, values)
            shown = {leads(group)[name] for name in STANDARD}
            rest = [index for index in rest if index not in shown]
        voltages = [index for index in rest if millivolts(group.channels[index])]
        for chosen in _by(sheets.MOST_STRIPS, voltages):
            yield sheets.strips(group, values, chosen)
        rest = [index for index in rest if index not in voltages]
    if rest:
        values = samples(group, stored, limits, longest_s=sheets.lane_seconds(group))
        for chosen in _by(sheets.MOST_LANES, rest):
            yield sheets.lanes(group, values, chosen)


def _by(most: int, channels: list[int]) -> Iterator[list[int]]:
    return (channels[at : at + most] for at in range(0, len(channels), most))


def _drawn(recording: Recording, stored: StoredFile | None, limits: Limits | None) -> Iterator[Block]:
    """All groups, headed from the second on, up to so many drawings."""
    left = _MOST_SHEETS
    for number, group in enumerate(recording.groups):
        if number and left:
            yield Heading(1, group.label.capitalize() or f"Group {group.number}")
        for sheet in islice(draw(recording, group, stored, limits), left):
            left -= 1
            yield Drawing(sheet.svg(), sheet.width_mm, sheet.height_mm, sheet.label)
        if not left:
            yield Prose("", f"The recording has {len(recording.groups)} groups of channels; not all are drawn.")
            return


def _described(group: Group) -> Fact:
    channels = f"{len(group.channels)} channel{'s' if len(group.channels) > 1 else ''}"
    told = f"{sheets.duration(group.duration_s)}, {channels}, {group.sampling_hz:g} samples/s"
    return Fact(group.label or f"Sound {group.number}", told)


def _said(recording: Recording) -> list[tuple[str, str]]:
    """When it was, and what was said of the recording as a whole; what was said beat by beat is left out."""
    whole = [one for one in recording.annotations if not one.samples and one.text]
    return [
        ("Acquired", recording.acquired_at),
        ("Interpretation", "; ".join([one.text for one in whole if not one.name][:_MOST_STATEMENTS])),
        ("Measurements", ", ".join([f"{one.name} {one.text}" for one in whole if one.name][:_MOST_STATEMENTS])),
    ]
