"""The doors for people outside: a link, or the patient portal, against a session."""

from __future__ import annotations

import re

from charrua_core import shares
from charrua_core.web import PUBLIC, HttpError, Request, Response, WebRoute
from charrua_web.sessions import answer_session
from charrua_web.sharing.bodies import texts_of
from charrua_web.sharing.links import JSON, TAG

VISIT = "/visit"
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)


async def open_link(request: Request) -> Response:
    """Exchange a link, and where it asks the date of birth, for a session."""
    token, birth_date = await texts_of(request, "token", "birth_date")
    date = _DATE.fullmatch(birth_date)
    if birth_date and not date:
        raise HttpError(400, "birth_date: a date such as 1961-04-12 is expected")
    agent, asked = request.headers.get("user-agent"), "".join(date.groups()) if date else ""
    session, identity = await shares.open_share(request.app, token, asked, request.origin, agent=agent)
    return await answer_session(request, identity, session)


async def enter_portal(request: Request) -> Response:
    """Exchange Patient ID and Accession Number for a session."""
    patient_id, accession = await texts_of(request, "patient_id", "accession_number")
    agent = request.headers.get("user-agent")
    session, identity = await shares.enter(request.app, patient_id, accession, request.origin, agent=agent)
    return await answer_session(request, identity, session)


_WAIT = {429: "Too many wrong ones: wait as long as Retry-After says"}
ROUTES = (
    WebRoute(
        "POST",
        "/share",
        open_link,
        PUBLIC,
        "Open a link: begin a session that sees its studies",
        TAG,
        consumes=(JSON,),
        statuses={
            200: "Who it is; the session is in a cookie",
            400: "A field will not do",
            403: "The date of birth is another",
            404: "The link does not work",
            **_WAIT,
        },
        description="The body has `token`, the last part of the link, and `birth_date` where the link asks for it.",
    ),
    WebRoute(
        "POST",
        "/portal",
        enter_portal,
        PUBLIC,
        "Open the patient portal: begin a session that sees the studies of an accession",
        TAG,
        consumes=(JSON,),
        statuses={
            200: "Who it is; the session is in a cookie",
            403: "There is no such study",
            404: "The portal is closed",
            **_WAIT,
        },
        description="The body has `patient_id` and `accession_number`. Closed until the setting patient_portal opens it.",
    ),
)
