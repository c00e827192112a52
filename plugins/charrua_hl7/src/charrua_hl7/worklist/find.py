"""Modality Worklist as SCP (PS3.4 annex K)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from charrua_core.archive.search.asked import asked_for
from charrua_core.dicom import CommandField, ServiceClass, agreeing
from charrua_core.dicom.finding import Answers, FindRequest, FindScp, find_statuses
from charrua_core.types import DicomJson
from charrua_hl7.worklist.searching import NO_LEVEL, Search, keys_of, search

if TYPE_CHECKING:
    from charrua_core.app import App

MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
_AGREED = b"\1\1\1\0"
"""Two reserved bytes, fuzzy names, no adjustment to timezones (PS3.4 K.5.1)."""

_ABOUT = """\
Matching keys are all attributes of PS3.4 table K.6-1 and any other that an entry has, in any sequence, by their VR: single
value, wildcard, range, list of UID, multiple values, universal, empty value (`""`), one item of a sequence. Names match
without case and accents, group by group; other texts by letter case. A range of Scheduled Procedure Step Start Date and one
of Start Time of the same form are one period. Pertinent Documents Sequence and Protocol Context Sequence are returned, never
matched. Entries that are COMPLETED or DISCONTINUED are told only where a key asks for Scheduled Procedure Step Status. Return
keys are all that an entry has; what it does not have comes back empty. By SOP Class Extended Negotiation: fuzzy matching of
names, where each word of the key begins a word of the name."""


def worklist_find(app: App) -> Sequence[ServiceClass]:
    """Give the SCP."""
    return [
        ServiceClass(
            "Modality Worklist",
            frozenset({MODALITY_WORKLIST}),
            WorklistScp(app).handle,
            frozenset({CommandField.C_FIND}),
            extended=agreeing(_AGREED),
            statuses=find_statuses("worklist_results"),
            about=matching_keys,
        )
    ]


def matching_keys() -> str:
    """Give as Markdown what keys there are and how they match."""
    return _ABOUT


class WorklistScp(FindScp[DicomJson]):
    """Answers queries for entries of the worklist."""

    permission = "query"
    level = "WORKLIST"

    def find(self, request: FindRequest) -> Answers[DicomJson]:
        """Give the entries that match. Raises QueryInvalid for a key that cannot be."""
        settings = self.app.settings
        asked = Search(
            keys_of(request.identifier),
            fuzzy=request.fuzzy,
            station=request.association.calling_aet if settings["worklist_by_station"] else "",
            at_most=settings["worklist_results"],
        )
        matches = search(self.app, asked, request.identity)
        tell = partial(asked_for, identifier=request.identifier, without=NO_LEVEL)
        return Answers(self.level, asked.keys, matches, tell)
