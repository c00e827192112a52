"""Remote servers, troubles, plugins, storage and the audit trail over HTTP."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from charrua_core.audit import Event
from charrua_core.changes import Follower, append, set_aside
from charrua_core.testing.waiting import until
from charrua_core.types import Origin, Peer

WS1 = {"host": "127.0.0.1", "port": 104}
HTML = {"Accept": "text/html"}


@pytest.fixture
async def served(serve_web):
    return await serve_web()


@pytest.fixture
async def client(served) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {await served.token('Admin')}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=20, verify=False) as client:
        yield client


# -- remote servers ------------------------------------------------------------------------------------------------------
async def test_a_remote_server_is_added_changed_and_removed(served, client) -> None:
    added = await client.put("/peers/WS1", json={**WS1, "permissions": ["echo"], "row_filter": {"Modality": ["CR"]}})
    assert (added.status_code, added.json()["permissions"]) == (201, ["echo"])
    changed = await client.put("/peers/WS1", json={"timeout_s": 5})
    assert (changed.status_code, changed.json()["row_filter"]) == (200, {"Modality": ["CR"]})
    assert served.app.peers.get("WS1") == Peer("WS1", "127.0.0.1", 104, "off", 5.0, frozenset({"echo"}))
    assert (await client.delete("/peers/WS1")).status_code == 204
    assert (await client.get("/peers")).json() == []


async def test_an_ae_title_with_a_slash_and_a_blank_can_be_named(client) -> None:
    assert (await client.put("/peers/CT%2F1%20NEW", json=WS1)).json()["aet"] == "CT/1 NEW"
    assert (await client.get("/peers/CT%2F1%20NEW")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"host": "two words"}, "no host"),
        ({"port": 0}, "no port"),
        ({"port": "104"}, "port: its value"),
        ({"tls_mode": "maybe"}, "tls_mode"),
        ({"timeout_s": 0}, "timeout"),
        ({"permissions": ["delete"]}, "permissions"),
        ({"certificate": "nothing"}, "certificate"),
        ({"character_set": "latin"}, "character_set"),
        ({"row_filter": {"Modality": "CR"}}, "row_filter"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_field_that_will_not_do_is_named(client, fields, why) -> None:
    answer = await client.put("/peers/WS1", json={**WS1, **fields})
    assert (answer.status_code in (400, 409), why in answer.json()["detail"]) == (True, True), answer.text


async def test_the_echo_test_says_how_far_it_went_before_anything_is_saved(client) -> None:
    asked = {"aet": "WS1", "host": "127.0.0.1", "port": 1, "timeout_s": 2}
    found = (await client.post("/peers/echo", json=asked)).json()
    assert (found["works"], found["step"]) == (False, "connection")
    assert found["sentence"].startswith("127.0.0.1 port 1 cannot be reached: Connection refused.")
    assert (await client.get("/peers")).json() == []


async def test_the_echo_test_of_one_that_is_not_known_is_told_so(client) -> None:
    assert (await client.post("/peers/echo", json={"aet": "NOBODY"})).status_code == 404


async def test_sentences_are_in_the_readers_language_where_it_is_known(client) -> None:
    found = await client.post(
        "/peers/echo", json={"aet": "W", "host": "*", "port": 1}, headers={"Accept-Language": "pt"}
    )
    assert found.json()["step"] == "address"


# -- troubles ------------------------------------------------------------------------------------------------------------
async def test_a_trouble_is_a_sentence_with_the_way_to_mend_it(served, client) -> None:
    served.app.troubles.note("called_aet", "CT2", "10.0.0.8", called="PACS1")
    await served.app.troubles.flush()
    [one] = (await client.get("/troubles")).json()
    assert one["sentence"] == "CT2 (10.0.0.8) called PACS1; this archive is CHARRUA."
    assert one["mend"] == "Take PACS1 as a further name of this archive, or set the name CHARRUA at CT2."
    assert (await client.get("/troubles/count")).json() == {"count": 1}
    await client.post("/troubles/seen", json={"ids": [one["id"]]})
    assert (await client.get("/troubles/count")).json() == {"count": 0}


TROUBLES = [
    ("called_aet", {"who": "CT2", "called": "PACS1"}, "Take PACS1 as a name"),
    ("calling_aet", {"who": "CT2", "called": "CHARRUA"}, "Add CT2 at this address"),
    ("borrowed_aet", {"who": "WS1"}, "Change its address"),
    ("not_admitted", {"who": "CT2", "reason": "a passcode came without TLS"}, "a passcode came without TLS"),
    ("no_room", {"who": "CT2"}, "dicom_max_associations"),
    ("tls", {"reason": "WRONG_VERSION_NUMBER"}, "WRONG_VERSION_NUMBER"),
    ("protocol", {"reason": "it speaks TLS"}, "came to the DICOM port, but it speaks TLS"),
    ("contexts", {"who": "CT2", "not_offered": "Modality Performed Procedure Step"}, "not offered here: Modality"),
    ("contexts", {"who": "CT2", "not_taken": "CT Image", "only_in": "JPEG-LS Lossless"}, "only as JPEG-LS Lossless"),
    (
        "operation",
        {"who": "CT2", "operation": "C-STORE", "status": "0124", "reason": "this AE may not store"},
        "Add CT2",
    ),
    ("operation", {"who": "WS1", "operation": "C-MOVE", "status": "A801", "destination": "WS9"}, "Add WS9"),
    ("sending", {"who": "WS1", "reason": "no answer"}, "Test WS1"),
    ("job", {"who": "transcode", "reason": "it crashed"}, "it crashed"),
    ("log_in", {"who": "ana", "reason": "wrong password", "scheme": "password"}, "ana could not log in"),
    ("log_in", {"scheme": "password", "reason": "wrong"}, "with a name that no user has"),
    ("log_in", {"scheme": "bearer", "reason": "wrong"}, "A token that is not in force"),
    ("a_plugins_own", {"who": "X", "reason": "its reason"}, "its reason"),
]


async def test_each_kind_of_trouble_has_its_words_on_the_page(served, client) -> None:
    await client.put("/peers/WS1", json=WS1)
    for kind, facts, _ in TROUBLES:
        served.app.troubles.note(kind, address="10.0.0.8", **facts)
    await served.app.troubles.flush()
    answer = await client.get("/setup/troubles", headers=HTML)
    assert answer.status_code == 200
    assert [(kind, words) for kind, _, words in TROUBLES if words not in answer.text] == []
    assert answer.text.count("data-trouble=") == len(TROUBLES)


async def test_what_a_peer_calls_itself_is_text_on_every_page(served, client) -> None:
    evil = "<script>alert(1)</script>"
    served.app.troubles.note("called_aet", evil, evil, called=evil)
    await served.app.troubles.flush()
    for path in ("/setup", "/setup/troubles"):
        assert evil not in (await client.get(path, headers=HTML)).text


# -- plugins -------------------------------------------------------------------------------------------------------------
FAILING = """
    @hookimpl
    async def on_object_stored(stored):
        raise ZeroDivisionError("the robot is off")
"""


async def test_what_a_plugin_could_not_take_is_shown_and_told_again(serve_web, write_plugin) -> None:
    served = await serve_web(plugins=(write_plugin("robot", FAILING),))
    db = served.app.db
    async with db.transaction() as tx:
        await append(tx, "object", {"study_uid": "1.2.3"})

    async def fail(_change):
        raise ZeroDivisionError("the robot is off")

    task = asyncio.create_task(Follower(db, "robot.on_object_stored", fail, retry_after=()).run())

    async def is_aside():
        return bool(await set_aside(db))

    await until(is_aside)
    headers = {"Authorization": f"Bearer {await served.token('Admin')}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, verify=False) as client:
        page = (await client.get("/setup/plugins", headers=HTML)).text
        assert "the robot is off" in page
        assert "--without robot" in page
        assert (await client.post("/plugins/robot.on_object_stored/again", json={})).json() == {"changes": 1}
        assert (await client.post("/plugins/nobody/again", json={})).status_code == 404
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_plugins_tell_what_each_is_for(client) -> None:
    plugins = {one["name"]: one for one in (await client.get("/plugins")).json()["plugins"]}
    assert plugins["qr"]["summary"].startswith("Query and retrieve")
    assert (plugins["core"]["settings"] > 40, "web_pages" in plugins["web"]["hooks"]) == (True, True)


# -- storage -------------------------------------------------------------------------------------------------------------
async def test_storage_tells_of_volumes_and_database(client) -> None:
    told = (await client.get("/storage")).json()
    [volume] = told["volumes"]
    assert (volume["current"], volume["works"], volume["objects"]) == (True, True, 0)
    assert told["database"]["size_bytes"] > 0
    assert dict(told["database"]["revisions"])["core"]


async def test_a_check_is_asked_for_and_stopped(client) -> None:
    assert (await client.get("/storage/check")).json() == {"outcome": "never"}
    assert (await client.post("/storage/check", json={"quick": True})).json()["outcome"] == "waiting"
    assert (await client.post("/storage/check", json={"quick": True})).status_code == 409
    assert (await client.delete("/storage/check")).status_code == 204


# -- the audit trail -----------------------------------------------------------------------------------------------------
async def test_the_trail_is_searched_by_pages_and_reading_it_is_in_it(served, client) -> None:
    origin = Origin("web", address="10.0.0.9", user="eva")
    for number in range(3):
        served.app.audit.later(Event.EXPORT, "R", "eva", origin, study_uids=["1.2.3"], destination=f"WS{number}")
    await served.app.audit.flush()
    page = (await client.get("/audit", params={"who": "eva", "study": "1.2.3", "limit": 2})).json()
    assert [one["sentence"] for one in page["records"]] == [f"eva had studies sent to WS{n}." for n in (2, 1)]
    rest = (await client.get("/audit", params={"who": "eva", "before": page["next"]})).json()
    assert ([one["detail"]["destination"] for one in rest["records"]], rest["next"]) == (["WS0"], "")
    await served.app.audit.flush()
    [read, *_] = (await client.get("/audit", params={"event": "110101"})).json()["records"]
    assert (read["who"], read["detail"]["of"]) == ("admin1", "eva")


async def test_the_trail_is_given_as_a_table_that_no_spreadsheet_takes_for_formulas(served, client) -> None:
    served.app.audit.later(Event.QUERY, "E", "=HYPERLINK(1)", Origin("dimse"), level="STUDY", matches=1)
    await served.app.audit.flush()
    table = await client.get("/audit/csv", params={"event": "110112"})
    [head, row] = list(csv.reader(io.StringIO(table.text)))
    assert (head[:2], row[5], row[8]) == (
        ["at", "event"],
        "'=HYPERLINK(1)",
        "'=HYPERLINK(1) searched (study): 1 found.",
    )


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"study": "x"}, {"event": "1"}, {"before": "x"}, {"outcome": "maybe"}]
)
async def test_what_the_trail_cannot_be_asked_is_refused(client, query) -> None:
    assert (await client.get("/audit", params=query)).status_code == 400


async def test_days_are_those_of_the_server(served, client) -> None:
    served.app.audit.later(Event.EXPORT, "R", "eva", Origin("web"), destination="WS1")
    await served.app.audit.flush()
    today = datetime.now(UTC).astimezone().date().isoformat()
    found = (await client.get("/audit", params={"since": today, "until": today, "who": "eva"})).json()["records"]
    assert len(found) == 1


async def test_who_sees_a_part_of_the_archive_reads_no_trail(served) -> None:
    headers = {"Authorization": f"Bearer {await served.token('Admin', {'Modality': ['CR']})}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, verify=False) as client:
        assert (await client.get("/audit")).status_code == 403
