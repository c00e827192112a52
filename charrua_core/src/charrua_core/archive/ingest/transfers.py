"""The audit trail of what comes in: when an association begins to transfer a study (PS3.15 A.5.3.3)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from charrua_core.archive.index.rows import Filed
from charrua_core.audit import AuditRecord, Event

KEPT = 50_000

Transfer = tuple[str, str]
"""An association's id and a study's UID."""


class Transfers:
    """The transfers whose beginning is in the trail, the oldest forgotten first."""

    def __init__(self) -> None:
        self._begun: OrderedDict[Transfer, None] = OrderedDict()

    def begun(self, group: Sequence[Filed]) -> dict[Transfer, dict[str, Any]]:
        """Give the rows of the trail for what begins with these objects."""
        rows: dict[Transfer, dict[str, Any]] = {}
        for filed in group:
            origin, study_uid = filed.arrival.origin, filed.header.study_instance_uid
            transfer = (origin.association_id, study_uid)
            if origin.association_id and transfer not in self._begun:
                self._begun[transfer] = None
                who = origin.calling_aet or origin.user
                rows[transfer] = AuditRecord(Event.BEGIN_TRANSFERRING, "E", who, origin, study_uids=(study_uid,)).row()
        while len(self._begun) > KEPT:
            self._begun.popitem(last=False)
        return rows

    def forget(self, transfers: Iterable[Transfer]) -> None:
        """They did not begin after all."""
        for transfer in transfers:
            self._begun.pop(transfer, None)
