"""What a plugin's part of HTTP is made of: routes, requests, responses. No framework, and nothing that listens."""

from __future__ import annotations

from charrua_core.web.datasets import Form, datasets_response, form_of
from charrua_core.web.errors import HttpError, problem
from charrua_core.web.headers import Headers, Query
from charrua_core.web.media import MediaType, accepted, choose, chosen_of, media_type, media_types, ranges_of, said_of
from charrua_core.web.multipart import Part, multipart_response, multipart_whole
from charrua_core.web.page import Navigation, Page, Shown, StudyAction
from charrua_core.web.reading import (
    SMALL_BODY,
    Fields,
    fields_of,
    json_object,
    number_in_path,
    number_in_query,
    object_of,
    typed_object_of,
)
from charrua_core.web.request import Request
from charrua_core.web.response import Response, json_response
from charrua_core.web.route import PUBLIC, Parameter, Table, WebRoute
from charrua_core.web.socket import Gone, WebSocket, WebSocketRoute
from charrua_core.web.zipped import ZIP, Entry, zip_response

__all__ = [
    "PUBLIC",
    "SMALL_BODY",
    "ZIP",
    "Entry",
    "Fields",
    "Form",
    "Gone",
    "Headers",
    "HttpError",
    "MediaType",
    "Navigation",
    "Page",
    "Parameter",
    "Part",
    "Query",
    "Request",
    "Response",
    "Shown",
    "StudyAction",
    "Table",
    "WebRoute",
    "WebSocket",
    "WebSocketRoute",
    "accepted",
    "choose",
    "chosen_of",
    "datasets_response",
    "fields_of",
    "form_of",
    "json_object",
    "json_response",
    "media_type",
    "media_types",
    "multipart_response",
    "multipart_whole",
    "number_in_path",
    "number_in_query",
    "object_of",
    "problem",
    "ranges_of",
    "said_of",
    "typed_object_of",
    "zip_response",
]
