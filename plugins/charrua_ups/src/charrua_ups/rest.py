"""UPS-RS: the worklist over HTTP (PS3.18 §11), on the same functions as its DIMSE side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from charrua_core.archive.datasets.xmlmodel import to_xml
from charrua_core.archive.index.levels import tags_of
from charrua_core.dicom.n_services import ValueInvalid
from charrua_core.errors import CharruaError
from charrua_core.types import DicomJson
from charrua_core.web import HttpError, Request, Response, choose, form_of
from charrua_core.web.datasets import DATASETS, DICOM_XML
from charrua_ups import subscriptions, trail, workitems
from charrua_ups.callers import web_caller
from charrua_ups.model import CHARACTER_SET, FILTERED_WORKLIST, SOP_INSTANCE_UID, STATE, TRANSACTION_UID, element, text
from charrua_ups.parameters import deletion_lock, filter_in, read_search, uid_alone
from charrua_ups.payloads import dataset_of
from charrua_ups.refusals import WARNINGS, UpsRefused
from charrua_ups.requirements import PRESENT, VALUED
from charrua_ups.searching import Search, keys_of, search

UTF_8 = element("CS", "ISO_IR 192")
_MORE = (
    "SOPClassUID SOPInstanceUID ScheduledProcedureStepModificationDateTime ExpectedCompletionDateTime "
    "ScheduledHumanPerformersSequence StudyInstanceUID PatientID IssuerOfPatientID"
)
TOLD = frozenset({*VALUED, *PRESENT, *tags_of(_MORE)}) - {TRANSACTION_UID}
"""What a search tells of each workitem without being asked: return keys of type 1 and 2 (PS3.4 table CC.2.5-3)."""

Handler = Callable[[Request], Awaitable[Response]]


def warned(handle: Handler) -> Handler:
    """Have what refuses a request said in the header Warning too, as PS3.18 §11 words it, and in the audit trail."""

    async def handling(request: Request) -> Response:
        try:
            return await handle(request)
        except CharruaError as error:
            trail.refused(request.app, web_caller(request), _ACTIONS[request.route.method], _workitem(request), error)
            if isinstance(error, UpsRefused) and error.warning:
                headers = dict([_warning(request, error.warning)])
                raise HttpError(error.http_status, str(error), headers) from error
            raise

    return handling


_ACTIONS: dict[str, Any] = {"GET": "R", "POST": "U", "PUT": "U", "DELETE": "U"}


def _workitem(request: Request) -> str:
    return request.parameters.get("workitem", "")


def _warning(request: Request, words: str) -> tuple[str, str]:
    return ("Warning", f"299 {request.base}: {words}")


def _done(request: Request, status: int, http_status: int = 200, *headers: tuple[str, str]) -> Response:
    warnings = [_warning(request, WARNINGS[status])] if status in WARNINGS else []
    return Response(http_status, headers=(*headers, *warnings))


# -- workitems -------------------------------------------------------------------------------------------------------
async def create(request: Request) -> Response:
    """Create Workitem (11.4)."""
    uid = uid_alone(request.query, "workitem", "AffectedSOPInstanceUID")
    given = await dataset_of(request)
    inside = text(given, SOP_INSTANCE_UID)
    if uid and inside and inside != uid:
        raise ValueInvalid([SOP_INSTANCE_UID])
    uid, status = await workitems.create(request.app, web_caller(request), uid or inside, given)
    place = f"{request.base}/workitems/{uid}"
    return _done(request, status, 201, ("Location", place), ("Content-Location", place))


async def retrieve(request: Request) -> Response:
    """Retrieve Workitem (11.5)."""
    offer, _ = choose(request, (*DATASETS, DICOM_XML))
    attributes = await workitems.get(request.app, web_caller(request), _workitem(request))
    told = _told(attributes)
    if offer.type == DICOM_XML:
        return Response(200, to_xml(told), DICOM_XML)
    return form_of(request).whole([orjson.dumps(told)])


async def update(request: Request) -> Response:
    """Update Workitem (11.6)."""
    transaction = uid_alone(request.query, "transaction-uid", "transactionuid", "TransactionUID")
    changes = await dataset_of(request)
    named = text(changes, TRANSACTION_UID)
    if transaction and named and transaction != named:
        raise ValueInvalid([TRANSACTION_UID])
    uid = _workitem(request)
    status = await workitems.update_workitem(request.app, web_caller(request), uid, changes, transaction)
    return _done(request, status, 200, ("Content-Location", f"{request.base}/workitems/{uid}"))


async def change_state(request: Request) -> Response:
    """Change Workitem State (11.7)."""
    given = await dataset_of(request)
    caller = web_caller(request)
    asked, transaction = text(given, STATE), text(given, TRANSACTION_UID)
    status = await workitems.change_state(request.app, caller, _workitem(request), asked, transaction)
    return _done(request, status)


async def request_cancel(request: Request) -> Response:
    """Request Cancellation (11.8)."""
    given = await dataset_of(request)
    status = await workitems.request_cancel(request.app, web_caller(request), _workitem(request), given)
    return _done(request, status, 202)


# -- searching -------------------------------------------------------------------------------------------------------
async def search_workitems(request: Request) -> Response:
    """Search (11.9): a page of matches, and how many follow it."""
    form, asked = form_of(request), read_search(request.query)
    most: int = request.app.settings["ups_results"]
    limit = min(asked.limit or most, most or asked.limit)
    caller = web_caller(request)
    keys = keys_of(asked.identifier)
    found: list[bytes] = []
    remaining = 0
    async for attributes in search(request.app, Search(keys, asked.fuzzy, asked.offset), caller.identity):
        if limit and len(found) == limit:
            remaining += 1
        else:
            found.append(orjson.dumps(_told(attributes, asked.identifier, asked.included)))
    trail.searched(request.app, caller, keys, len(found))
    cut = f"There are {remaining} additional results that can be requested"
    return form.whole(found, [_warning(request, cut)] if remaining else [])


def _told(
    attributes: DicomJson, identifier: DicomJson | None = None, included: frozenset[str] | None = None
) -> DicomJson:
    """Give what is told of a workitem: all, or what is asked for beside `TOLD`."""
    told = attributes
    if included is not None:
        asked = {*TOLD, *included, *(identifier or {})} - {TRANSACTION_UID}
        told = {tag: one for tag, one in attributes.items() if tag in asked}
    return {CHARACTER_SET: UTF_8, **told}


# -- subscriptions ---------------------------------------------------------------------------------------------------
async def subscribe(request: Request) -> Response:
    """Subscribe (11.10)."""
    uid, aet = _workitem(request), request.parameters["aet"]
    keys = filter_in(request.query) if uid == FILTERED_WORKLIST else {}
    lock = deletion_lock(request.query)
    await subscriptions.subscribe(request.app, web_caller(request), uid, aet, lock=lock, keys=keys)
    sockets = request.base.replace("http", "ws", 1).removesuffix("/dicom-web")
    return Response(201, headers=[("Content-Location", f"{sockets}/ws/subscribers/{aet}")])


async def unsubscribe(request: Request) -> Response:
    """Unsubscribe (11.11)."""
    return await _ended(request, subscriptions.unsubscribe)


async def suspend(request: Request) -> Response:
    """Suspend Global Subscription (11.12)."""
    return await _ended(request, subscriptions.suspend)


async def _ended(request: Request, end: Callable[..., Awaitable[bool]]) -> Response:
    if not await end(request.app, web_caller(request), _workitem(request), request.parameters["aet"]):
        raise HttpError(404, "there is no such subscription")
    return Response(200)
