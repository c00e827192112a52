"""C-FIND of the worklist (PS3.4 CC.2.8)."""

from __future__ import annotations

from functools import partial

from charrua_core.archive.search.asked import asked_for
from charrua_core.dicom import Association
from charrua_core.dicom.finding import Answers, FindRequest, FindScp, Outcome
from charrua_core.types import DicomJson, without_nul
from charrua_ups import trail
from charrua_ups.callers import caller_of
from charrua_ups.model import TRANSACTION_UID
from charrua_ups.payloads import checked
from charrua_ups.searching import Search, keys_of, search

_NEVER_TOLD = frozenset({TRANSACTION_UID})


class WorkitemScp(FindScp[DicomJson]):
    """Answers queries for workitems. 0x0106: Transaction UID as a key."""

    level = "WORKITEM"

    def find(self, request: FindRequest) -> Answers[DicomJson]:
        """Give the workitems that match. Raises QueryInvalid for a key that cannot be, ValueInvalid, MetadataInvalid."""
        identifier = without_nul(checked(request.identifier))
        asked = Search(keys_of(identifier), fuzzy=request.fuzzy, at_most=self.app.settings["ups_results"])
        matches = search(self.app, asked, request.identity)
        tell = partial(asked_for, identifier=identifier, without=_NEVER_TOLD)
        return Answers(self.level, asked.keys, matches, tell)

    def note(self, association: Association, outcome: Outcome) -> None:
        """Write the search into the audit trail as one by UPS-RS is."""
        caller = caller_of(self.app, association)
        trail.searched(self.app, caller, outcome.keys, outcome.matches, succeeded=outcome.succeeded)
