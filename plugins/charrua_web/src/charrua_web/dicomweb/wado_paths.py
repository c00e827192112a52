"""What the routes of WADO-RS have in common."""

from __future__ import annotations

from charrua_core.web import Parameter, Request
from charrua_web.choices import DICOMWEB

TAG = "WADO-RS"
BASES = (DICOMWEB, "/wado-rs", "/wadors")
"""The manual writes the last two, the one for studies and the other for what is below them."""
STUDY = "/studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"
FRAMES = f"{INSTANCE}/frames/{{frames}}"
OBJECTS = {STUDY: "a study", SERIES: "a series", INSTANCE: "an instance"}
STATUSES = {
    200: "All of it",
    206: "A part of it: see the header Warning",
    400: "The request cannot be read",
    404: "There is no such thing that the caller may see",
    406: "It cannot be had in what the request accepts",
}
ACCEPT = Parameter("accept", "Media types that are accepted, before those of the header Accept", repeated=True)


def url_of(request: Request) -> str:
    """Give the URL of the study, series or instance whose UIDs are in the request's path."""
    names = (("studies", "study"), ("series", "series"), ("instances", "instance"))
    path = "".join(f"/{word}/{request.parameters[name]}" for word, name in names if name in request.parameters)
    return request.base + path
