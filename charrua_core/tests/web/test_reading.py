"""What requests say, read within limits; what will not do is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from charrua_core.types import Origin
from charrua_core.web import (
    PUBLIC,
    Fields,
    HttpError,
    Query,
    Request,
    WebRoute,
    fields_of,
    number_in_path,
    number_in_query,
    object_of,
    typed_object_of,
)
from charrua_core.web.headers import Headers

ROUTE = WebRoute("POST", "/things/{thing}", object_of, PUBLIC, "Change a thing", "Things")  # type: ignore[arg-type]


def a_request(body: bytes = b"", thing: str = "1") -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    where = (Origin("web"), "/things", {"thing": thing}, Query(()), Headers(()), "https://pacs.example")
    return Request(None, ROUTE, None, *where, receive)  # type: ignore[arg-type]


async def test_a_body_is_a_json_object() -> None:
    assert await object_of(a_request(b'{"a": [1, null]}')) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"{", 400, "the body is no JSON: "),
        (b"", 400, "the body is no JSON: "),
        (b"[]", 400, "the body is a JSON object"),
        (b"null", 400, "the body is a JSON object"),
        (b'{"a": 1234567890}', 413, "the body may have 16 bytes at most"),
    ],
)
async def test_what_is_no_object_or_too_long_is_refused(body: bytes, status: int, why: str) -> None:
    for read in (object_of, fields_of):
        with pytest.raises(HttpError) as refused:
            await read(a_request(body), at_most=16)
        assert (refused.value.http_status, str(refused.value)[: len(why)]) == (status, why)


KINDS = {"name": str, "number": int, "ratio": (int, float), "open": bool, "note": (str, type(None)), "any": object}


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "x", "number": 1, "ratio": 0.5, "open": True, "note": None, "any": [{}]},
        {"name": "x", "ratio": 2, "any": False},
    ],
)
async def test_fields_of_their_types_are_taken(given: dict[str, Any]) -> None:
    assert await typed_object_of(a_request(orjson.dumps(given)), KINDS, ["name"]) == given


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"name": "x", "colour": 1}, "colour: there is no such field"),
        ({"name": 1}, "name: its value is of another type"),
        ({"name": "x", "number": True}, "number: its value is of another type"),
        ({"name": "x", "ratio": False}, "ratio: its value is of another type"),
        ({"name": "x", "number": None}, "number: its value is of another type"),
        ({"name": "x\0"}, "name: it has a NUL in it"),
        ({"number": 1}, "name: it is missing"),
    ],
)
async def test_fields_of_another_type_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(HttpError, match=f"^{why}$"):
        await typed_object_of(a_request(orjson.dumps(given)), KINDS, ["name"])


def test_fields_are_read_one_by_one() -> None:
    given = {
        "text": " x ",
        "uids": ["1.2", "1.2", "1.3"],
        "version": 3,
        "inner": {"truth": True},
        "each": [{"uid": "1"}],
    }
    fields = Fields(given)
    assert (fields.text("text"), fields.uids("uids"), fields.version()) == ("x", ["1.2", "1.3"], 3)
    assert fields.table("inner").truth("truth")
    assert [one.uid("uid") for one in fields.tables("each")] == ["1"]
    fields.end()


def test_what_is_not_there_is_empty() -> None:
    fields = Fields({"text": None})
    assert (fields.text("text"), fields.uid("uid"), fields.texts("texts"), fields.tables("tables")) == ("", "", [], [])
    assert (fields.version(), fields.truth("truth"), fields.anything("any")) == (0, False, None)
    assert "text" not in fields


@pytest.mark.parametrize(
    ("given", "read", "why"),
    [
        ({"a": 1}, lambda of: of.text("a"), "a text of 10240 characters at most is expected"),
        ({"a": "xyz"}, lambda of: of.text("a", 2), "a text of 2 characters at most is expected"),
        ({"a": "x\0"}, lambda of: of.text("a"), "a text of 10240 characters at most is expected"),
        ({"a": "x"}, lambda of: of.uid("a"), "'x' is no UID"),
        ({}, lambda of: of.uid("a", needed=True), "it is missing"),
        ({"a": "1.2"}, lambda of: of.uids("a"), "a list of 1000 texts at most is expected"),
        ({"a": ["1.2", ""]}, lambda of: of.uids("a"), "each is a text of 1 to 64 characters"),
        ({"a": ["1.2", "x"]}, lambda of: of.uids("a"), "'x' is no UID"),
        ({"a": 1}, lambda of: of.truth("a"), "true or false is expected"),
        ({"a": [{}] * 1001}, lambda of: of.tables("a"), "a list of 1000 objects at most is expected"),
        ({"a": []}, lambda of: of.table("a"), "a JSON object is expected"),
        ({"a": 1}, lambda of: of.end(), "there is no such field"),
    ],
)
def test_a_field_that_will_not_do_is_named_with_its_place(
    given: dict[str, Any], read: Callable[[Fields], object], why: str
) -> None:
    with pytest.raises(HttpError, match=f"^thing.a: {why}$"):
        read(Fields(given, "thing"))


@pytest.mark.parametrize("version", [-1, True, "1", 1 << 31])
def test_a_version_is_a_number(version: object) -> None:
    with pytest.raises(HttpError, match="the number of the version"):
        Fields({"version": version}).version()


def test_a_number_of_the_path_is_one_that_something_may_have() -> None:
    assert number_in_path(a_request(thing="17"), "thing") == 17
    for wrong in ("x", "-1", "٣", "1" * 19):
        with pytest.raises(HttpError, match="there is no such thing") as refused:
            number_in_path(a_request(thing=wrong), "thing")
        assert refused.value.http_status == 404


def test_a_number_of_the_query_is_within_bounds() -> None:
    assert number_in_query(Query([("limit", "7")]), "limit", 50, 1, 500) == 7
    assert number_in_query(Query([("limit", "")]), "limit", 50, 1, 500) == 50
    assert number_in_query(Query(()), "limit", 50, 1, 500) == 50
    for wrong in ("0", "501", "x", "٣", "1" * 19):
        with pytest.raises(HttpError, match="limit: a whole number from 1 to 500 is expected"):
            number_in_query(Query([("limit", wrong)]), "limit", 50, 1, 500)
