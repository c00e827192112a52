"""UPS-RS against a running archive, by httpx and websockets."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from charrua_core.archive.datasets.xmlmodel import from_xml, to_xml
from charrua_core.testing.dicomweb import parts_of
from charrua_core.testing.waiting import until
from charrua_core.testing.worklist import (
    FILTERED_WORKLIST,
    WORKLIST,
    Party,
    a_workitem,
    code,
    discontinued,
    in_transaction,
    performed,
)

ITEMS = "/dicom-web/workitems"
EXAMPLES = Path(__file__).parents[3] / "examples" / "worklist"
STATE, LABEL, UID, TRANSACTION = "00741000", "00741202", "00080018", "00081195"


def as_json(dataset: Dataset) -> str:
    return json.dumps([dataset.to_json_dict()])


def root(client: httpx.AsyncClient) -> str:
    return str(client.base_url).rstrip("/")


async def created(client: httpx.AsyncClient, **attributes: Any) -> str:
    """The UID of a new workitem."""
    uid = generate_uid()
    answer = await client.post(f"{ITEMS}?{uid}", content=as_json(a_workitem(**attributes)))
    assert answer.status_code == 201, answer.text
    return str(uid)


def state(name: str, transaction: str | None) -> str:
    asked = {STATE: {"vr": "CS", "Value": [name]}}
    return json.dumps(asked | ({TRANSACTION: {"vr": "UI", "Value": [transaction]}} if transaction else {}))


async def in_state(client: httpx.AsyncClient, name: str, transaction: str) -> str:
    uid = await created(client)
    if name != "SCHEDULED":
        assert (await client.put(f"{ITEMS}/{uid}/state", content=state("IN PROGRESS", transaction))).status_code == 200
    if name in ("COMPLETED", "CANCELED"):
        changes = in_transaction(performed() if name == "COMPLETED" else discontinued(), transaction)
        assert (await client.post(f"{ITEMS}/{uid}", content=as_json(changes))).status_code == 200
        assert (await client.put(f"{ITEMS}/{uid}/state", content=state(name, transaction))).status_code == 200
    return uid


async def test_a_workitem_is_created_claimed_updated_completed_and_read_in_each_form(browse: Any) -> None:
    client, mine = await browse(), generate_uid()
    uid = await created(client, ScheduledStationNameCodeSequence=code("STN1"))
    path = f"{ITEMS}/{uid}"
    assert (await client.put(f"{path}/state/CAD1", content=state("IN PROGRESS", mine))).status_code == 200
    changes = performed()
    answer = await client.post(f"{path}?{mine}", content=as_json(changes))
    assert (answer.status_code, answer.headers["content-location"]) == (200, root(client) + path)
    assert (await client.put(f"{path}/state", content=state("COMPLETED", mine))).status_code == 200
    answer = await client.get(path)
    [item] = answer.json()
    assert answer.headers["content-type"] == "application/dicom+json"
    assert (item[STATE]["Value"], item["00100010"]["Value"]) == (["COMPLETED"], [{"Alphabetic": "Núñez^José"}])
    assert (item[UID]["Value"], item["00080005"]["Value"], TRANSACTION in item) == ([uid], ["ISO_IR 192"], False)
    document = (await client.get(path, headers={"Accept": "application/dicom+xml"})).content
    assert from_xml(document) == item
    parts = parts_of(await client.get(path, headers={"Accept": 'multipart/related; type="application/dicom+xml"'}))
    assert [from_xml(content) for _, content in parts] == [item]


async def test_the_examples_of_the_documents_are_created_claimed_and_completed(browse: Any) -> None:
    client, mine, path = await browse(), "1.2.840.99.2", f"{ITEMS}/1.2.840.99.1"
    assert (await client.post(f"{ITEMS}?1.2.840.99.1", content=(EXAMPLES / "workitem.json").read_bytes())).is_success
    assert (await client.put(f"{path}/state", content=state("IN PROGRESS", mine))).is_success
    assert (await client.post(f"{path}?{mine}", content=(EXAMPLES / "performed.json").read_bytes())).is_success
    assert (await client.put(f"{path}/state", content=state("COMPLETED", mine))).is_success


async def test_a_workitem_comes_as_xml_and_under_the_uid_of_its_data_set_or_a_new_one(browse: Any) -> None:
    client = await browse()
    given = a_workitem().to_json_dict()
    kind = {"Content-Type": "application/dicom+xml"}
    answer = await client.post(ITEMS, content=to_xml(given | {UID: {"vr": "UI", "Value": ["1.2.3"]}}), headers=kind)
    assert (answer.status_code, answer.headers["location"]) == (201, f"{root(client)}{ITEMS}/1.2.3")
    answer = await client.post(ITEMS, content=to_xml(given), headers=kind)
    assert (await client.get(answer.headers["location"])).json()[0]["00100020"]["Value"] == ["4711"]


CREATED: list[tuple[str, dict[str, Any], int]] = [
    ("?1.2.3", {}, 201),
    ("?1.2.3", {}, 409),
    ("?workitem=1.2.3", {}, 409),
    ("?no-uid", {}, 400),
    ("?1.2.4", {"SOPInstanceUID": "1.2.5"}, 400),
    ("", {"ProcedureStepState": "IN PROGRESS"}, 400),
    ("", {"InputReadinessState": None}, 400),
    ("", {"ScheduledProcedureStepStartDateTime": "2026"}, 201),
    ("", {"WorklistLabel": ""}, 201),
]
BODIES: list[tuple[Any, str, int]] = [
    ("", "application/dicom+json", 400),
    ("{", "application/dicom+json", 400),
    ("[]", "application/dicom+json", 400),
    ('{"001": {"vr": "LO"}}', "application/dicom+json", 400),
    ('{"00100020": "4711"}', "application/dicom+json", 400),
    ('{"00100020": {"vr": "PN"}}', "application/dicom+json", 400),
    ('{"00100020": {"vr": "LO", "Value": [{}]}}', "application/json", 400),
    ('{"00100020": {"vr": "LO", "Value": "4711"}}', "application/json", 400),
    ('{"00420011": {"vr": "OB", "BulkDataURI": "file:///etc/passwd"}}', "application/json", 400),
    ('{"00100020": {"vr": ["LO"]}}', "application/json", 400),
    ("<x/>", "application/dicom+xml", 400),
    ("0074,1000=SCHEDULED", "text/plain", 415),
    (json.dumps({"00404021": {"vr": "SQ", "Value": [{}]}})[:-4] * 2_000, "application/json", 400),
]


async def test_creation_answers_with_the_statuses_of_the_table(browse: Any) -> None:
    client = await browse()
    for query, changes, status in CREATED:
        answer = await client.post(ITEMS + query, content=as_json(a_workitem(**changes)))
        assert answer.status_code == status, (query, changes, answer.text)
        modified = f"299 {root(client)}/dicom-web: The Workitem was created with modifications."
        assert answer.headers.get("warning") == (modified if "WorklistLabel" in changes else None)
    for body, kind, status in BODIES:
        answer = await client.post(ITEMS, content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), body[:80]


INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."
MISSING, INCORRECT = "The Transaction UID is missing.", "The Transaction UID is incorrect."
ANSWERED: dict[str, list[tuple[int, str | None]]] = {
    "SCHEDULED": [
        (200, None),
        (409, "The target URI did not reference a claimed Workitem."),
        (409, INCONSISTENT),
        (400, MISSING),
        (202, None),
    ],
    "IN PROGRESS": [
        (400, MISSING),
        (400, INCORRECT),
        (400, INCORRECT),
        (400, MISSING),
        (409, "The performer cannot be contacted."),
    ],
    "COMPLETED": [
        (400, "The submitted request is inconsistent with the current state of the Workitem."),
        (400, "The submitted request is inconsistent with the current state of the Workitem."),
        (400, INCORRECT),
        (400, MISSING),
        (409, "The UPS is already COMPLETED."),
    ],
    "CANCELED": [
        (400, "The submitted request is inconsistent with the current state of the Workitem."),
        (400, "The submitted request is inconsistent with the current state of the Workitem."),
        (400, INCORRECT),
        (400, MISSING),
        (202, "The UPS is already in the requested state of CANCELED."),
    ],
}


async def test_operations_answer_with_the_statuses_and_warnings_of_the_tables(browse: Any) -> None:
    client, other = await browse(), generate_uid()
    label = json.dumps({"00741204": {"vr": "LO", "Value": ["Segment the spleen"]}})
    for name, expected in ANSWERED.items():
        uid = await in_state(client, name, generate_uid())
        path = f"{ITEMS}/{uid}"
        answers = [
            await client.post(path, content=label),
            await client.post(f"{path}?{other}", content=label),
            await client.put(f"{path}/state", content=state("COMPLETED", other)),
            await client.put(f"{path}/state", content=state("IN PROGRESS", None)),
            await client.post(f"{path}/cancelrequest/BOSS"),
        ]
        warnings = [one.headers.get("warning") for one in answers]
        found = [
            (one.status_code, warning and warning.split(": ", 1)[1])
            for one, warning in zip(answers, warnings, strict=True)
        ]
        assert found == expected, name
        assert all(warning is None or warning.startswith(f"299 {root(client)}/dicom-web: ") for warning in warnings)


async def test_a_state_that_is_reached_already_is_a_warning_and_one_that_is_not_prepared_a_conflict(
    browse: Any,
) -> None:
    client, mine = await browse(), generate_uid()
    path = f"{ITEMS}/{await in_state(client, 'CANCELED', mine)}"
    answer = await client.put(f"{path}/state", content=state("CANCELED", mine))
    assert (answer.status_code, "in the requested state of CANCELED" in answer.headers["warning"]) == (200, True)
    path = f"{ITEMS}/{await in_state(client, 'IN PROGRESS', mine)}"
    for asked, status in (("COMPLETED", 409), ("IN PROGRESS", 409), ("SCHEDULED", 400), ("READY", 400)):
        assert (await client.put(f"{path}/state", content=state(asked, mine))).status_code == status, asked


async def test_what_is_not_there_is_not_found(browse: Any) -> None:
    client = await browse()
    path = f"{ITEMS}/1.2.3"
    asked = [
        client.get(path),
        client.post(path, content="{}"),
        client.put(f"{path}/state", content=state("IN PROGRESS", "1.2")),
        client.post(f"{path}/cancelrequest"),
        client.post(f"{path}/subscribers/VIEWER"),
        client.delete(f"{path}/subscribers/VIEWER"),
        client.delete(f"{ITEMS}/{WORKLIST}/subscribers/VIEWER"),
        client.post(f"{ITEMS}/{WORKLIST}/subscribers/VIEWER/suspend"),
    ]
    assert [one.status_code for one in await asyncio.gather(*asked)] == [404] * len(asked)
    assert (await client.post(f"{path}/subscribers/VIEWER/suspend")).status_code == 400
    assert (await client.post(f"{ITEMS}/{WORKLIST}/subscribers/{'X' * 17}")).status_code == 400


KEYS = [
    ("", "abc"),
    ("?WorklistLabel=LIVER", "ab"),
    ("?00741202=SPL*", "c"),
    ("?ProcedureStepState=SCHEDULED&PatientID=4711", "ac"),
    ("?ScheduledProcedureStepStartDateTime=20261125-20261126", "ab"),
    ("?ScheduledStationNameCodeSequence.CodeValue=STN1", "a"),
    ("?00404025.00080100=STN1", "a"),
    ("?PatientName=perez", ""),
    ("?PatientName=ana&fuzzymatching=true", "b"),
    ("?PatientName=n%C3%BA%C3%B1ez*", "ac"),
    ("?SOPInstanceUID=1.2.1,1.2.3", "ac"),
    ("?ProcedureStepState=COMPLETED", ""),
    ("?limit=2", "ab"),
    ("?limit=2&offset=2", "c"),
    ("?offset=7", ""),
]
WRONG = ["?Nonsense=1", "?limit=-1", "?limit=x", "?ScheduledProcedureStepStartDateTime=soon", "?TransactionUID=1.2.3"]
WRONG += ["?PatientID.CodeValue=1", "?ScheduledStationNameCodeSequence=STN1", "?fuzzymatching=maybe"]


async def test_a_search_finds_by_the_same_meaning_as_a_query(browse: Any) -> None:
    client = await browse()
    given = {
        "a": {"ScheduledStationNameCodeSequence": code("STN1")},
        "b": {"PatientName": "Pérez^Ana", "PatientID": "1", "ScheduledProcedureStepStartDateTime": "20261126"},
        "c": {"WorklistLabel": "SPLEEN", "ScheduledProcedureStepStartDateTime": "20261127", "PatientComments": "more"},
    }
    for number, changes in enumerate(given.values(), 1):
        answer = await client.post(f"{ITEMS}?1.2.{number}", content=as_json(a_workitem(**changes)))
        assert answer.status_code == 201
    for query, expected in KEYS:
        answer = await client.get(ITEMS + query)
        assert answer.status_code == 200, answer.text
        found = "".join("abc"[int(one[UID]["Value"][0][-1]) - 1] for one in answer.json())
        assert found == expected, query
    for query in WRONG:
        assert (await client.get(ITEMS + query)).status_code == 400, query
    cut = await client.get(f"{ITEMS}?limit=1")
    said = f"299 {root(client)}/dicom-web: There are 2 additional results that can be requested"
    assert cut.headers["warning"] == said
    for query, told in (("", False), ("?includefield=PatientComments", True), ("?includefield=all", True)):
        assert ("00104000" in (await client.get(ITEMS + query)).json()[2]) == told, query
    document = await client.get(ITEMS, headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert len(parts_of(document)) == 3


async def test_who_may_do_what(browse: Any) -> None:
    admin, reader, stranger = await browse(), await browse("Referring"), await browse(None)
    uid = await created(admin)
    path = f"{ITEMS}/{uid}"
    for client, may_read, may_work in ((admin, 200, 202), (reader, 200, 403), (stranger, 401, 401)):
        assert [(await client.get(one)).status_code for one in (ITEMS, path)] == [may_read] * 2
        assert (await client.post(f"{path}/cancelrequest")).status_code == may_work
    for client, status in ((reader, 403), (stranger, 401)):
        asked = [
            client.post(ITEMS, content=as_json(a_workitem())),
            client.post(path, content="{}"),
            client.put(f"{path}/state", content=state("IN PROGRESS", "1.2.3")),
            client.post(f"{path}/subscribers/VIEWER"),
            client.delete(f"{path}/subscribers/VIEWER"),
            client.post(f"{ITEMS}/{WORKLIST}/subscribers/VIEWER/suspend"),
        ]
        assert [one.status_code for one in await asyncio.gather(*asked)] == [status] * len(asked)
        with pytest.raises(InvalidStatus, match=str(status)):
            async with listening(client, "VIEWER"):
                pass


async def test_a_filtered_user_sees_and_hears_of_what_its_filter_is_proven_to_admit(browse: Any) -> None:
    admin, limited = await browse(), await browse("Radiologist", {"PatientID": ["1"]})
    await admin.post(f"{ITEMS}/{WORKLIST}/subscribers/VIEWER")
    async with listening(limited, "VIEWER") as next_event:
        other, theirs = await created(admin), await created(admin, PatientID="1")
        assert event_of(await next_event()) == (theirs, 1, "SCHEDULED")
    assert [one[UID]["Value"] for one in (await limited.get(ITEMS)).json()] == [[theirs]]
    for uid, status in ((theirs, 202), (other, 404)):
        assert (await limited.get(f"{ITEMS}/{uid}")).status_code == (200 if status == 202 else 404)
        assert (await limited.post(f"{ITEMS}/{uid}/cancelrequest")).status_code == status
    assert (await limited.post(ITEMS, content=as_json(a_workitem()))).status_code == 403


def socket_url(client: httpx.AsyncClient, aet: str) -> str:
    return f"{root(client)}/ws/subscribers/{aet}".replace("http", "ws", 1)


@asynccontextmanager
async def listening(client: httpx.AsyncClient, aet: str) -> Any:
    """A function that gives the next event of an AE's WebSocket."""
    headers = {name: value for name, value in client.headers.items() if name == "authorization"}
    async with connect(socket_url(client, aet), additional_headers=headers) as socket:

        async def next_event() -> dict[str, Any]:
            async with asyncio.timeout(10):
                told: dict[str, Any] = json.loads(await socket.recv())
                return told

        await asyncio.sleep(0.3)  # until it listens
        yield next_event


def event_of(told: dict[str, Any]) -> tuple[str, int, str]:
    return (told["00001000"]["Value"][0], told["00001002"]["Value"][0], told.get(STATE, {}).get("Value", [""])[0])


async def test_a_workitem_ordered_by_dimse_is_announced_by_websocket_and_by_event_report(
    browse: Any, orderer: Party, performer: Party
) -> None:
    client = await browse()
    for aet in ("VIEWER", performer.aet):
        answer = await client.post(f"{ITEMS}/{WORKLIST}/subscribers/{aet}")
        assert answer.status_code == 201
        assert answer.headers["content-location"] == socket_url(client, aet)
    async with listening(client, "VIEWER") as next_event, listening(client, performer.aet) as performers:
        _, uid = await orderer.push(a_workitem(ScheduledStationNameCodeSequence=code("STN1")))
        told = await next_event()
        assert event_of(told) == (uid, 1, "SCHEDULED")
        assert {tag: told[tag]["Value"] for tag in ("00000002", "00000100", "00000110", "00404041")} == {
            "00000002": ["1.2.840.10008.5.1.4.34.6.1"],
            "00000100": [0x0100],
            "00000110": [1],
            "00404041": ["READY"],
        }
        assert event_of(await next_event()) == (uid, 5, "")
        assert event_of(await performers()) == (uid, 1, "SCHEDULED")
        mine = generate_uid()
        assert await performer.enter(uid, "IN PROGRESS", mine) == 0x0000
        assert event_of(await next_event()) == (uid, 1, "IN PROGRESS")
        answer = await client.post(f"{ITEMS}/{uid}/cancelrequest/BOSS")
        assert answer.status_code == 202
        asked = await next_event()
        assert (event_of(asked)[1], asked["00741236"]["Value"]) == (2, ["BOSS"])
    await until(lambda: performer.types(uid) == [1, 5, 1, 2])


async def test_subscriptions_by_the_web_are_those_of_dimse(browse: Any, orderer: Party) -> None:
    client = await browse()
    subscribers = [f"{ITEMS}/{uid}/subscribers/VIEWER" for uid in (WORKLIST, FILTERED_WORKLIST)]
    before = await created(client, WorklistLabel="SPLEEN")
    async with listening(client, "VIEWER") as next_event:
        query = "?deletionlock=true&filter=WorklistLabel=SPLEEN,PatientID=4711"
        assert (await client.post(subscribers[1] + query)).status_code == 201
        assert event_of(await next_event()) == (before, 1, "SCHEDULED")
        await created(client)
        spleen = await created(client, WorklistLabel="SPLEEN")
        assert event_of(await next_event()) == (spleen, 1, "SCHEDULED")
        assert (await client.post(f"{subscribers[1]}/suspend")).status_code == 200
        await created(client, WorklistLabel="SPLEEN")
        await client.post(f"{ITEMS}/{spleen}/cancelrequest")
        assert event_of(await next_event()) == (spleen, 1, "IN PROGRESS")
        assert event_of(await next_event()) == (spleen, 1, "CANCELED")
        assert (await client.delete(subscribers[0])).status_code == 200
        one = f"{ITEMS}/{before}/subscribers/VIEWER"
        assert (await client.delete(one)).status_code == 404
        assert (await client.post(one + "?deletionlock=maybe")).status_code == 400
        assert (await client.post(f"{subscribers[1]}?PatientBirthDate=soon")).status_code == 400
        assert (await client.post(one)).status_code == 201
        assert event_of(await next_event()) == (before, 1, "SCHEDULED")
        assert (await client.delete(one)).status_code == 200
        assert (await orderer.get(before))[0] == 0x0000


async def test_text_with_nul_is_kept_without_it(browse: Any) -> None:
    client = await browse()
    uid = await created(client, PatientComments="a\0b")
    [item] = (await client.get(f"{ITEMS}/{uid}")).json()
    assert item["00104000"]["Value"] == ["a\N{REPLACEMENT CHARACTER}b"]
