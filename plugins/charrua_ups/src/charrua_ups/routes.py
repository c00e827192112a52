"""The routes of UPS-RS and what documents say of them (PS3.18 table 11.3-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from charrua_core.web import Parameter, WebRoute, WebSocketRoute
from charrua_core.web.datasets import DATASETS, DICOM_XML
from charrua_ups import rest
from charrua_ups.notifying import notify
from charrua_ups.payloads import CONSUMES

BASES = ("/dicom-web",)
TAG = "UPS-RS"

_NOT_FOUND = {404: "No such workitem, or not one that the caller may see"}
_BAD = {400: "The request or its data set is not as PS3.4 and PS3.18 ask; the header Warning says why"}
_CONFLICT = {409: "The request does not fit the workitem's state; the header Warning says why"}
_SEARCH = (
    Parameter("includefield", "Further attributes by keyword or tag, or `all`", repeated=True),
    Parameter("fuzzymatching", "Names match by the beginnings of their words", {"type": "boolean"}),
    Parameter("limit", "The most workitems of this page", {"type": "integer", "minimum": 0}),
    Parameter("offset", "How many matches to leave out first", {"type": "integer", "minimum": 0}),
)
_ITEM = "/workitems/{workitem}"
_SUBSCRIBER = f"{_ITEM}/subscribers/{{aet}}"


def ups_routes() -> Sequence[WebRoute | WebSocketRoute]:
    """Give the routes."""
    return [*_workitems(), *_subscriptions()]


def _route(method: Any, path: str, handle: rest.Handler, permission: str, summary: str, **details: Any) -> WebRoute:
    return WebRoute(method, path, rest.warned(handle), permission, summary, TAG, bases=BASES, **details)


def _statuses(done: Mapping[int, str], *others: Mapping[int, str]) -> dict[int, str]:
    return {status: words for one in (done, _BAD, *others) for status, words in one.items()}


def _workitems() -> Sequence[WebRoute]:
    return [
        _route(
            "POST",
            "/workitems",
            rest.create,
            "worklist",
            "Create a workitem",
            description="Its UID is the query alone, as in `?1.2.3`, or in the data set; else the archive gives one.",
            query=(Parameter("workitem", "The UID of the workitem"),),
            consumes=CONSUMES,
            produces=(),
            statuses=_statuses({201: "Created"}, {409: "A workitem of this UID exists"}),
        ),
        _route(
            "GET",
            "/workitems",
            rest.search_workitems,
            "query",
            "Search the worklist",
            description="Keys by keyword or tag, those of items as in `ScheduledStationNameCodeSequence.CodeValue=CT1`.",
            query=_SEARCH,
            produces=DATASETS,
            statuses=_statuses({200: "The matches, by scheduled start; maybe none"}),
        ),
        _route(
            "GET",
            _ITEM,
            rest.retrieve,
            "query",
            "Retrieve a workitem",
            produces=(*DATASETS, DICOM_XML),
            statuses=_statuses({200: "The workitem"}, _NOT_FOUND),
        ),
        _route(
            "POST",
            _ITEM,
            rest.update,
            "worklist",
            "Update a workitem",
            description="The Transaction UID is the query alone, as in `?1.2.3`, or in the data set.",
            query=(Parameter("transaction-uid", "The Transaction UID of a workitem that is IN PROGRESS"),),
            consumes=CONSUMES,
            produces=(),
            statuses=_statuses({200: "Updated"}, _NOT_FOUND, _CONFLICT),
        ),
        *(
            _route(
                "PUT",
                f"{_ITEM}/state{requester}",
                rest.change_state,
                "worklist",
                "Change the state of a workitem",
                consumes=CONSUMES,
                produces=(),
                statuses=_statuses({200: "Changed, or in that state already"}, _NOT_FOUND, _CONFLICT),
            )
            for requester in ("", "/{requester}")
        ),
        *(
            _route(
                "POST",
                f"{_ITEM}/cancelrequest{requester}",
                rest.request_cancel,
                "worklist",
                "Ask for a workitem to be cancelled",
                consumes=CONSUMES,
                produces=(),
                statuses=_statuses({202: "Cancelled, or its performer is told"}, _NOT_FOUND, _CONFLICT),
            )
            for requester in ("", "/{requester}")
        ),
    ]


def _subscriptions() -> Sequence[WebRoute | WebSocketRoute]:
    lock = Parameter("deletionlock", "Keep the workitem until unsubscribed", {"type": "boolean"})
    keys = Parameter("filter", "Of the filtered worklist: matching keys, as in `WorklistLabel=CT,PatientID=1`")
    none = {404: "No such subscription"}
    return [
        _route(
            "POST",
            _SUBSCRIBER,
            rest.subscribe,
            "worklist",
            "Subscribe an AE to a workitem or to the worklist",
            description="The worklist is 1.2.840.10008.5.1.4.34.5, the filtered one 1.2.840.10008.5.1.4.34.5.1.",
            query=(lock, keys),
            produces=(),
            statuses=_statuses({201: "Subscribed"}, _NOT_FOUND),
        ),
        _route(
            "DELETE",
            _SUBSCRIBER,
            rest.unsubscribe,
            "worklist",
            "End a subscription",
            produces=(),
            statuses=_statuses({200: "Ended"}, none),
        ),
        _route(
            "POST",
            f"{_SUBSCRIBER}/suspend",
            rest.suspend,
            "worklist",
            "Subscribe an AE to no further workitems",
            produces=(),
            statuses=_statuses({200: "Suspended"}, none),
        ),
        WebSocketRoute(
            "/subscribers/{aet}",
            notify,
            "worklist",
            "Hear of the events that an AE is subscribed to",
            TAG,
            bases=("/ws", "/dicom-web/ws"),
        ),
    ]
