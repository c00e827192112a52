"""C-FIND: the query service (PS3.4 C.4.1)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from charrua_core.archive.search import Found, Query, read_query, search, unsupported
from charrua_core.dicom import CommandField, ServiceClass
from charrua_core.dicom.finding import PENDING, PENDING_WITHOUT_SOME_KEYS, Answers, FindRequest, FindScp
from charrua_core.types import DicomJson
from charrua_qr.keys import matching_keys
from charrua_qr.measured import MATCHES
from charrua_qr.models import FIND, FIND_STATUSES, Agreed, answer_find

if TYPE_CHECKING:
    from charrua_core.app import App

_ALWAYS = frozenset({"00080054"})
"""Retrieve AE Title is told without being asked for (PS3.4 C.4.1.1.3.2)."""
_LEVEL = "00080052"


def find_service(app: App) -> ServiceClass:
    """Give the query SCP."""
    return ServiceClass(
        "Query",
        FIND,
        QueryScp(app).handle,
        frozenset({CommandField.C_FIND}),
        extended=answer_find,
        statuses=FIND_STATUSES,
        about=matching_keys,
    )


class QueryScp(FindScp[Found]):
    """Answers queries for what is archived. 0xFF01: a match, and some key is not known at this level."""

    permission = "query"

    def find(self, request: FindRequest) -> Answers[Found]:
        """Give what matches at the level asked for. Raises QueryInvalid where the identifier breaks a rule of it."""
        agreed = Agreed.on(request.association, request.sop_class_uid)
        root = FIND[request.sop_class_uid]
        asked = read_query(request.identifier, root, relational=agreed.relational, fuzzy=agreed.fuzzy)
        query = replace(asked, return_keys=asked.return_keys | _ALWAYS, at_most=self.app.settings["query_results"])
        return Answers(
            str(query.level),
            query.keys,
            search(self.app, query, request.identity),
            partial(_told, _blank(request.identifier, query)),
            PENDING_WITHOUT_SOME_KEYS if unsupported(query) else PENDING,
        )

    def told(self, matches: int) -> None:
        """Count them."""
        MATCHES.inc(matches)


def _blank(identifier: DicomJson, query: Query) -> DicomJson:
    """All keys that were asked for and are known, without a value, and the level."""
    unknown = unsupported(query)
    blank = {tag: {"vr": element["vr"]} for tag, element in identifier.items() if tag not in unknown}
    return {**blank, _LEVEL: {"vr": "CS", "Value": [str(query.level)]}}


def _told(blank: DicomJson, found: Found) -> DicomJson:
    return blank | found.attributes
