"""From a recording to its page: what was said of it, and its waveforms drawn."""

from __future__ import annotations

from collections.abc import Iterator

from charrua_core.imaging.documents import sheets
from charrua_core.imaging.documents.drawing import Sheet
from charrua_core.imaging.documents.leads import is_twelve_lead, millivolts
from charrua_core.imaging.documents.page import Block, Drawing, Fact, Facts, Heading, Page, Prose
from charrua_core.imaging.documents.sopclasses import AUDIO, ELECTROCARDIOGRAMS, class_name
from charrua_core.imaging.documents.stored import StoredFile
from charrua_core.imaging.documents.waveform import Group, Limits, Recording, samples

_MOST_STATEMENTS = 100
_LONGEST_ABOVE = 240  # characters: what is longer stands below the sheet, which must fit on the page
_MOST_SHEETS = 16


def recording_page(recording: Recording, stored: StoredFile | None, limits: Limits | None = None) -> Page:
    """The page of a recording, all its multiplex groups; reads its samples, blocks.

    Raises DocumentUnreadable and DocumentTooLarge as `waveform.samples`.
    """
    said = [(label, text) for label, text in _said(recording) if text]
    blocks: list[Block] = []
    if recording.sop_class_uid in AUDIO:
        blocks.append(Facts(tuple(_described(group) for group in recording.groups)))
    else:
        for number, group in enumerate(recording.groups[:_MOST_SHEETS]):
            blocks.extend(_drawn(recording, group, stored, limits, headed=number > 0))
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
    """The drawing of the first multiplex group."""
    return draw(recording, recording.groups[0], stored, limits)


def draw(recording: Recording, group: Group, stored: StoredFile | None, limits: Limits | None = None) -> Sheet:
    """One multiplex group: to scale where it is an electrocardiogram in volts."""
    voltages = [index for index, channel in enumerate(group.channels) if millivolts(channel)]
    if recording.sop_class_uid not in ELECTROCARDIOGRAMS or not voltages:
        return sheets.lanes(group, samples(group, stored, limits, longest_s=sheets.lane_seconds(group)))
    values = samples(group, stored, limits, longest_s=sheets.SHEET_SECONDS)
    if is_twelve_lead(group):
        return sheets.twelve_lead(group, values)
    return sheets.strips(group, values, voltages[: sheets.MOST_STRIPS])


def _drawn(
    recording: Recording, group: Group, stored: StoredFile | None, limits: Limits | None, *, headed: bool
) -> Iterator[Block]:
    sheet = draw(recording, group, stored, limits)
    if headed:
        yield Heading(1, group.label.capitalize() or f"Group {group.number}")
    yield Drawing(sheet.svg(), sheet.width_mm, sheet.height_mm, sheet.label)


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
