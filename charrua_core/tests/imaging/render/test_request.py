"""The query parameters of PS3.18 8.3.5.1."""

from __future__ import annotations

import pytest

from charrua_core.errors import RenderingInvalid
from charrua_core.imaging.render import RenderRequest, Viewport, Window, request_of

UNDERSTOOD = [
    ({}, RenderRequest()),
    ({"quality": "55", "accept": "image/jpeg"}, RenderRequest(quality=55)),
    ({"annotation": "patient"}, RenderRequest(annotation=frozenset({"patient"}))),
    ({"annotation": "technique,patient"}, RenderRequest(annotation=frozenset({"patient", "technique"}))),
    ({"viewport": "512,256"}, RenderRequest(viewport=Viewport(512, 256))),
    ({"viewport": "8,9,1.5,2"}, RenderRequest(viewport=Viewport(8, 9, 1.5, 2))),
    ({"viewport": "8,9,,,-3,"}, RenderRequest(viewport=Viewport(8, 9, 0, 0, -3, None))),
    ({"viewport": "8,9,1,2,0,4"}, RenderRequest(viewport=Viewport(8, 9, 1, 2, None, 4))),
    ({"window": "40,400,linear"}, RenderRequest(window=Window(40, 400))),
    ({"window": "-600.5,1600,LINEAR-EXACT"}, RenderRequest(window=Window(-600.5, 1600, "LINEAR_EXACT"))),
    ({"window": "1,2,sigmoid"}, RenderRequest(window=Window(1, 2, "SIGMOID"))),
    ({"iccprofile": "adobergb"}, RenderRequest(icc_profile="adobergb")),
]
REFUSED = [
    {"quality": "0"}, {"quality": "101"}, {"quality": "best"}, {"quality": "-5"}, {"quality": "٥"},
    {"annotation": ""}, {"annotation": "patient,name"},
    {"viewport": "8"}, {"viewport": "8,9,1"}, {"viewport": ",9"}, {"viewport": "8.5,9"}, {"viewport": "0,9"},
    {"viewport": "99999,9"}, {"viewport": "8,9,-1,2"}, {"viewport": "8,9,nan,2"}, {"viewport": "8,9,1,2,3,4,5"},
    {"window": "40"}, {"window": "40,0,linear"}, {"window": "40,400,cubic"}, {"window": "40,4_0,linear"}, {"window": "inf,4"},
    {"iccprofile": "cmyk"},
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "request_"), UNDERSTOOD)
def test_parameters_are_understood(parameters, request_):
    assert request_of(parameters) == request_


@pytest.mark.parametrize("parameters", REFUSED, ids=str)
def test_parameters_that_break_their_rules_are_refused(parameters):
    with pytest.raises(RenderingInvalid):
        request_of(parameters)


@pytest.mark.parametrize("asked", [{"media_type": "image/tiff"}, {"bits": 16}, {"quality": 0}, {"voi": -1}])
def test_requests_that_cannot_be_met_are_refused(asked):
    with pytest.raises(RenderingInvalid):
        RenderRequest(**asked)
