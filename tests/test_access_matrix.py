"""Who sees what over HTTP: every route × every caller × objects inside and outside the caller's row filter.

The cells come from the table of routes, so that a new route is among them; one that needs more than its path says fails
`test_every_route_can_be_called` until it has a recipe.

Every day has its part of the cells, with every route among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from pydicom.dataset import Dataset
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from charrua_core.accounts import ROLES
from charrua_core.app import App, Start
from charrua_core.testing.access import (
    KINDS,
    Answer,
    Ask,
    Caller,
    Cell,
    Matrix,
    Recipe,
    Study,
    Target,
    a_shelved_study,
    judged,
)
from charrua_core.testing.daily import is_todays
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object, part10
from charrua_core.testing.worklist import WORKLIST, a_workitem, code
from charrua_core.web import WebRoute, WebSocketRoute
from charrua_web.catalogue import make_table
from charrua_web.rendering.pages import is_page

CHANGING = {
    *("/health", "/metrics", "/openapi.json", "/createlink", "/shares", "/studies/list.pdf"),
    *("/setup", "/setup/storage", "/storage", "/setup/plugins", "/plugins"),
    *("/setup/troubles", "/troubles", "/troubles/count"),
    *("/download", "/studies/{study}/download", "/disc", "/studies/{study}/disc"),
}
"""What is about the server or about links, not about objects, or tells the time, or has a new UID each time (a DICOMDIR): it
may say other things a moment later."""
OF_SESSIONS = {"/login", "/logout", "/password", "/share", "/portal"}
"""What begins or ends sessions: the one that is tested would end with them."""
PUBLIC_PAGES = {"/static/<path:filename>"}
PASSWORD = "an unlikely password"
JSON = {"Content-Type": "application/json"}
NO_RULES = {"rules": [], "since": "2020-01-01T00:00:00Z"}


# -- how to call what a path alone does not say --------------------------------------------------------------------------
def frames(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"frames": "1"})]


def store(target: Target) -> Sequence[Ask]:
    image = an_object(StudyInstanceUID=target.study, PatientID=target.patient_id)
    headers = {"Content-Type": "application/dicom"}
    return [Ask(headers=headers, body=part10(image), blind=True, changes=True, good=frozenset({200, 202}))]


def upload(target: Target) -> Sequence[Ask]:
    image = part10(an_object(StudyInstanceUID=target.study, PatientID=target.patient_id))
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    body = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + image + b"\r\n--B--\r\n"
    return [Ask(headers=headers, body=body, blind=True, changes=True)]


def search(target: Target) -> Sequence[Ask]:
    """By what names the target, and for everything there is."""
    keys = [("PatientID", target.patient_id)], [("StudyInstanceUID", target.study)]
    every = [], [("includefield", "all")], [("limit", "1")], [("PatientName", "*"), ("fuzzymatching", "true")]
    return [
        *(
            Ask(query=[*key, ("includefield", "all")], names=frozenset({"study"}), hidden=frozenset({200}))
            for key in keys
        ),
        *(Ask(query=query, general=True) for query in every),
    ]


def list_studies(target: Target) -> Sequence[Ask]:
    """By what names the target, and for everything there is; what is hidden is not among the rows."""
    keys = (
        [("PatientID", target.patient_id)],
        [("StudyInstanceUID", target.study)],
        [("SeriesInstanceUID", target.series)],
    )
    every = [], [("order", "patient")], [("order", "-images"), ("limit", "1")], [("PatientName", "name")]
    return [Ask(query=query, general=True) for query in (*keys, *every)]


def preference(*good: int, **more: bytes) -> Recipe:
    """A call about what the caller has chosen."""
    return lambda _target: [Ask(values={"name": "matrix"}, general=True, good=frozenset(good), headers=JSON, **more)]


def search_within(_target: Target) -> Sequence[Ask]:
    return [Ask(query=[("includefield", "all")], hidden=frozenset({200, 404}))]


def together(target: Target) -> Sequence[Ask]:
    """Studies are named by the query."""
    return [Ask(query=[("study", target.study)], names=frozenset({"study"}))]


def wado_uri(target: Target) -> Sequence[Ask]:
    named = [("requestType", "WADO"), ("studyUID", target.study), ("seriesUID", target.series)]
    query = [*named, ("objectUID", target.instance)]
    names = frozenset({"study", "series", "instance"})
    return [Ask(query=query, names=names), Ask(query=[*query, ("contentType", "application/dicom")], names=names)]


def delete(_target: Target) -> Sequence[Ask]:
    return [Ask(changes=True, good=frozenset({204}))]


def delete_study(_target: Target) -> Sequence[Ask]:
    """Who does not see all of a study deletes nothing of it."""
    return [Ask(changes=True, whole=True, good=frozenset({204}), hidden=frozenset({403, 404}))]


def bulk_data(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"path": "7FE00010"})]


def measure(target: Target) -> Sequence[Ask]:
    """On the target's image."""
    one = {"id": "1.2.3", "kind": "probe", "instance": target.instance, "points": [[1, 1]]}
    body = json.dumps({"measurements": [one]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"instance"}), changes=True, good=frozenset({201}))]


def select(target: Target) -> Sequence[Ask]:
    """The target's image as a key image."""
    body = json.dumps({"images": [{"instance": target.instance}]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"instance"}), changes=True, good=frozenset({201}))]


def no_selection(_target: Target) -> Sequence[Ask]:
    """An image is none."""
    return [Ask(blind=True, good=frozenset({404}))]


def said(*good: int, **fields: str) -> Recipe:
    """A call that is about nothing in the archive, with a JSON body."""
    body = {"headers": {"Content-Type": "application/json"}, "body": json.dumps(fields).encode()} if fields else {}
    return lambda _target: [Ask(general=True, good=frozenset(good), **body)]


def numbered(*good: int, body: Mapping[str, object] | None = None, **values: str) -> Recipe:
    """A call about something that has a number, and is about nothing in the archive."""
    kept = {"headers": JSON, "body": json.dumps(body).encode()} if body is not None else {}
    return lambda _target: [Ask(values=values, general=True, good=frozenset(good), **kept)]


def of_all_studies(_target: Target) -> Sequence[Ask]:
    """What tells of all studies is for nobody who sees a part of them."""
    return [Ask(general=True, good=frozenset({200, 403}))]


def explain(target: Target) -> Sequence[Ask]:
    """An object is named alone; of a crossed target there is none."""
    uid = target.study if target.name == "crossed" else target.instance
    body = json.dumps({"sop_instance_uid": uid}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"instance"}))]


def send_study(target: Target) -> Sequence[Ask]:
    """Whose study it is must be said; who does not see it is not told that the name is wrong."""
    body = {"AET": "NOWHERE", "StudyInstanceUID": target.study, "PatientName": "Nobody"}
    return [Ask(headers=JSON, body=json.dumps(body).encode(), names=frozenset({"study"}), good=frozenset({400}))]


# -- actions on studies -------------------------------------------------------------------------------------------------
def act(**body: object) -> Recipe:
    """A call on the whole study of the path, with a JSON body, whose answer to who sees it is 200."""
    encoded_body = json.dumps(body).encode()
    kept = {"headers": JSON, "body": encoded_body, "whole": True, "hidden": frozenset({403, 404})}
    return lambda _target: [Ask(changes=True, **kept)]


def set_status(target: Target) -> Sequence[Ask]:
    """It takes one of two permissions, which the route does not name."""
    kept = {"headers": JSON, "body": b'{"status": "FINAL"}', "whole": True}
    return [Ask(changes=True, good=frozenset({200, 403}), hidden=frozenset({403, 404}), **kept)]


def assign_parts(target: Target) -> Sequence[Ask]:
    """A series becomes a study of its own."""
    body = json.dumps({"series": [target.series]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"series"}), changes=True)]


def delete_parts(target: Target) -> Sequence[Ask]:
    body = json.dumps({"series": [target.series]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"series"}), changes=True)]


def by_hand(field: str, **more: object) -> Recipe:
    """A call of the manual, in which the study is named, and the patient wrongly."""

    def recipe(target: Target) -> Sequence[Ask]:
        body = json.dumps({field: target.study, **more}).encode()
        return [Ask(headers=JSON, body=body, names=frozenset({"study"}), good=frozenset({400}))]

    return recipe


def update_study(target: Target) -> Sequence[Ask]:
    body = json.dumps({"StudyInstanceUID": target.study, "Description": "Neck"}).encode()
    kept = {"names": frozenset({"study"}), "whole": True, "hidden": frozenset({403, 404})}
    return [Ask(headers=JSON, body=body, changes=True, **kept)]


def send_several(target: Target) -> Sequence[Ask]:
    body = json.dumps({"studies": [target.study], "destinations": ["NOWHERE"]}).encode()
    return [Ask(headers=JSON, body=body, general=True, good=frozenset({400}))]


def attach(_target: Target) -> Sequence[Ask]:
    headers = {"Content-Type": "application/octet-stream"}
    return [Ask(headers=headers, body=b"\x00 no file that can be attached", good=frozenset({415}))]


ACTIONS: dict[str, Recipe] = {
    "POST /actions/studies/{study}/edit/preview": act(attributes={"StudyID": "2"}),
    "POST /actions/studies/{study}/edit": act(attributes={"StudyID": "2"}, reason="matrix"),
    "PUT /actions/studies/{study}/status": set_status,
    "POST /actions/studies/{study}/assign": assign_parts,
    "POST /actions/patients/merge": numbered(404, body={"from": {"PatientID": "?"}, "into": {"PatientID": "1"}}),
    "POST /actions/studies/{study}/delete": delete_parts,
    "POST /actions/undo": numbered(404, body={"edits": ["00000000-0000-0000-0000-000000000000"]}),
    "POST /actions/send": send_several,
    "GET /actions/sendings": lambda _target: [Ask(query=[("of", "1")], general=True)],
    "POST /actions/studies/{study}/attachments": attach,
    "POST /updatestudy": update_study,
    "POST /assignseries": by_hand("priorstudyuid", study={}, priorname="?", series=[{"seriesInstanceUID": "1.2"}]),
    "POST /deletestudy": by_hand("StudyInstanceUID", PatientName="?", PatientID="?"),
}


# -- workitems: that of a series has the UID of the series --------------------------------------------------------------
DICOM_JSON = {"Content-Type": "application/dicom+json"}
MINE = "1.2.840.99.2"


def encoded(dataset: Dataset) -> bytes:
    return json.dumps([dataset.to_json_dict()]).encode()


def workitem_of(target: Target) -> bytes:
    return encoded(
        a_workitem(
            SOPInstanceUID=target.series,
            PatientID=target.patient_id,
            ProcedureStepLabel=f"Step of {target.patient_id}",
            ScheduledStationClassCodeSequence=code(target.modality, "DCM"),
        )
    )


def item(good: int, body: Dataset | None = None, **details) -> Recipe:
    """A call about a workitem; of a crossed target there is none."""

    def recipe(target: Target) -> Sequence[Ask]:
        values = {"workitem": target.study if target.name == "crossed" else target.series, "aet": "MATRIX"}
        values["requester"] = "MATRIX"
        kept = {"headers": DICOM_JSON, "body": encoded(body)} if body is not None else {}
        return [Ask(values=values, names=frozenset({"series"}), good=frozenset({good}), **kept, **details)]

    return recipe


def create_item(_target: Target) -> Sequence[Ask]:
    """With a row filter nobody creates what is out of the own sight."""
    return [Ask(general=True, headers=DICOM_JSON, body=encoded(a_workitem()), good=frozenset({201, 403}))]


def search_items(target: Target) -> Sequence[Ask]:
    one = Ask(query=[("PatientID", target.patient_id)], names=frozenset({"study"}), hidden=frozenset({200, 204}))
    return [one, *(Ask(query=query, general=True) for query in ([], [("includefield", "all")], [("limit", "1")]))]


def watch(*good: int) -> Recipe:
    """A call about the subscription to a workitem, and about that to the whole worklist."""
    worklist = Ask(values={"workitem": WORKLIST, "aet": "MATRIX"}, general=True, good=frozenset(good))
    return lambda target: [replace(item(0)(target)[0], good=frozenset(good)), worklist]


def suspend(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"workitem": WORKLIST, "aet": "MATRIX"}, general=True, good=frozenset({200, 404}))]


claim = Dataset()
claim.ProcedureStepState, claim.TransactionUID = "IN PROGRESS", MINE
label = Dataset()
label.WorklistLabel = "NIGHT"


def share_study(target: Target) -> Sequence[Ask]:
    body = json.dumps({"studies": [target.study]}).encode()
    return [Ask(headers=JSON, body=body, names=frozenset({"study"}), good=frozenset({201}))]


def create_link(target: Target) -> Sequence[Ask]:
    """A study is named by its Accession Number: of a crossed target that is its study's."""
    query = [("AccessionNumber", target.patient_id.replace("ID-", "ACC"))]
    return [Ask(query=query, names=frozenset({"study"}))]


# -- the worklist: stories of its own tell who sees which entry ---------------------------------------------------------
def not_the_entrys(_target: Target) -> Sequence[Ask]:
    return [Ask(values={"entry": "1"}, blind=True, good=frozenset({404}))]


def assign_page(target: Target) -> Sequence[Ask]:
    return [Ask(query=[("study", target.study)], names=frozenset({"study"}))]


ENTRY = "/worklist/entries/{entry}"
ENTRIES: dict[str, Recipe] = {
    "POST /worklist": numbered(400, body={}),
    "POST /hl7/patient-changes/{change}/undo": numbered(404, change="1"),
    f"GET {ENTRY}": numbered(404, entry="1"),
    f"PUT {ENTRY}": numbered(404, entry="1", body={"version": 1, "attributes": {}}),
    f"POST {ENTRY}/status": numbered(404, entry="1", body={"status": "COMPLETED"}),
    f"GET {ENTRY}/assign": numbered(400, entry="1"),
    f"POST {ENTRY}/assign": numbered(400, entry="1", body={}),
    f"DELETE {ENTRY}/assign": numbered(404, entry="1"),
    f"DELETE {ENTRY}/studies/{{study}}": not_the_entrys,
    "GET /worklist/patient": lambda target: [Ask(query=[("id", target.patient_id)], general=True)],
    "GET /worklist/performed": lambda target: [Ask(query=[("study", target.study)], general=True)],
    "GET /worklist/assign": assign_page,
    "GET /worklist/{entry}": numbered(404, entry="1"),
}

MAPPING = "/hl7/mappings/{type}"
MAPPINGS: dict[str, Recipe] = {
    f"GET {MAPPING}": numbered(200, type="ORM"),
    f"PUT {MAPPING}": numbered(400, type="ORM", body={}),
    f"DELETE {MAPPING}": numbered(400, type="ORM"),
    f"GET {MAPPING}/versions": numbered(200, type="ORM"),
    f"POST {MAPPING}/check": numbered(200, 403, type="ORM", body={}),
    "POST /hl7/mappings/try": numbered(400, body={}),
    "GET /setup/hl7/mapping/{type}": numbered(200, type="ORM"),
}

SERIES = "/studies/{study}/series/{series}"
FRAMES = f"{SERIES}/instances/{{instance}}/frames/{{frames}}"
ITEM = "/workitems/{workitem}"
RECIPES: dict[str, Recipe] = {
    "GET /studies": search,
    "GET /series": search,
    "GET /instances": search,
    "GET /studies/{study}/series": search_within,
    "GET /studies/{study}/instances": search_within,
    f"GET {SERIES}/instances": search_within,
    f"GET {FRAMES}": frames,
    f"GET {FRAMES}/rendered": frames,
    f"GET {FRAMES}/thumbnail": frames,
    f"GET {SERIES}/instances/{{instance}}/bulkdata/{{path...}}": bulk_data,
    "GET /wado": wado_uri,
    "POST /studies": store,
    "POST /studies/{study}": store,
    "POST /studies/{study}/measurements": measure,
    "POST /studies/{study}/key-objects": select,
    "DELETE /studies/{study}/key-objects/{instance}": no_selection,
    "DELETE /studies/{study}": delete_study,
    f"DELETE {SERIES}": delete,
    f"DELETE {SERIES}/instances/{{instance}}": delete,
    "GET /download": together,
    "GET /download/choices": together,
    "GET /disc": together,
    "POST /uploads/files": upload,
    "POST /uploads": numbered(200, 201, body={"key": "matrix", "size": 9}),
    "GET /uploads/{upload}": numbered(404, upload="0" * 32),
    "PUT /uploads/{upload}": numbered(404, upload="0" * 32),
    "DELETE /uploads/{upload}": numbered(404, upload="0" * 32),
    "POST /workitems": create_item,
    "GET /workitems": search_items,
    f"GET {ITEM}": item(200),
    f"POST {ITEM}": item(200, label),
    f"PUT {ITEM}/state": item(200, claim, changes=True),
    f"PUT {ITEM}/state/{{requester}}": item(200, claim, changes=True),
    f"POST {ITEM}/cancelrequest": item(202, Dataset(), changes=True),
    f"POST {ITEM}/cancelrequest/{{requester}}": item(202, Dataset(), changes=True),
    f"POST {ITEM}/subscribers/{{aet}}": watch(201),
    f"DELETE {ITEM}/subscribers/{{aet}}": watch(200, 404),
    f"POST {ITEM}/subscribers/{{aet}}/suspend": suspend,
    "POST /routing/rules": numbered(400, body={}),
    "GET /routing/rules/{rule}": numbered(404, rule="1"),
    "PUT /routing/rules/{rule}": numbered(400, rule="1", body={}),
    "DELETE /routing/rules/{rule}": numbered(400, rule="1"),
    "GET /routing/rules/{rule}/versions": numbered(404, rule="1"),
    "POST /routing/rules/{rule}/versions/{version}/restore": numbered(404, rule="1", version="1"),
    "POST /routing/explain": explain,
    "POST /routing/replay": numbered(200, body=NO_RULES),
    "POST /routing/queue/{sending}/again": numbered(404, sending="1"),
    "DELETE /routing/queue/{sending}": numbered(404, sending="1"),
    "POST /routingqueue": send_study,
    "GET /routing/destinations/{destination}": numbered(404, destination="NOWHERE"),
    "PUT /routing/destinations/{destination}": numbered(400, destination="NOWHERE", body={}),
    "DELETE /routing/destinations/{destination}": numbered(404, destination="NOWHERE"),
    "POST /routing/destinations/{destination}/check": numbered(404, destination="NOWHERE"),
    "GET /hl7/messages": of_all_studies,
    "GET /hl7/messages/failed": of_all_studies,
    "GET /hl7/messages/{message}": numbered(403, 404, message="1"),
    "POST /hl7/messages/{message}/process": numbered(403, 404, message="1"),
    "POST /hl7/messages/process": numbered(400, 403, body={}),
    "GET /setup/hl7": of_all_studies,
    "GET /setup/hl7/messages/{message}": numbered(403, 404, message="1"),
    "POST /hl7/receivers": numbered(400, body={}),
    "PUT /hl7/receivers/{name}": numbered(404, name="NOWHERE", body={}),
    "DELETE /hl7/receivers/{name}": numbered(404, name="NOWHERE"),
    "POST /hl7/receivers/{name}/test": numbered(404, name="NOWHERE"),
    "PAGE /": said(303),
    "PAGE /studies": list_studies,
    "GET /studies/rows": list_studies,
    "GET /studies/count": list_studies,
    "GET /studies/list.csv": list_studies,
    "GET /studies/list.pdf": said(200),
    "GET /preferences/{name}": preference(200, 404),
    "PUT /preferences/{name}": preference(204, body=b"1"),
    "DELETE /preferences/{name}": preference(204, 404),
    "POST /users": numbered(400, body={}),
    "GET /users/{user}": numbered(404, user="nobody at all"),
    "PUT /users/{user}": numbered(404, user="nobody at all", body={"full_name": "Nobody"}),
    "DELETE /users/{user}": numbered(404, user="nobody at all"),
    "PUT /users/{user}/password": numbered(400, user="nobody at all", body={}),
    "POST /users/{user}/tokens": numbered(404, user="nobody at all", body={}),
    "POST /filters/preview": numbered(200, body={"filter": {"Modality": ["MR"]}}),
    "DELETE /sessions/{session}": numbered(404, session="1"),
    "DELETE /tokens/{token}": numbered(404, token="1"),
    "DELETE /me/sessions/{session}": numbered(404, session="1"),
    "POST /me/tokens": numbered(400, body={}),
    "DELETE /me/tokens/{token}": numbered(404, token="1"),
    "GET /setup/destinations/destination": lambda _target: [Ask(query=[("kind", "folder")], general=True)],
    "GET /metrics": said(200, 401, 403),
    "POST /login": said(200, name="any-General", password=PASSWORD),
    "POST /logout": said(204),
    "POST /password": said(400, current=PASSWORD),
    "OPTIONS /": said(200),
    "PUT /settings/{setting}": numbered(400, setting="dicom_aet", body={}),
    "DELETE /settings/{setting}": numbered(404, setting="nothing"),
    "GET /settings/{setting}/history": numbered(200, setting="dicom_aet"),
    "POST /restart": numbered(400, body={}),
    "GET /peers/{aet...}": numbered(404, aet="NOWHERE"),
    "PUT /peers/{aet...}": numbered(404, aet="NOWHERE", body={}),
    "DELETE /peers/{aet...}": numbered(404, aet="NOWHERE"),
    "POST /peers/echo": numbered(400, body={}),
    "POST /troubles/seen": numbered(200, body={}),
    "POST /troubles/mute": numbered(200, body={}),
    "POST /plugins/{follower}/again": numbered(404, follower="nobody", body={}),
    "POST /storage/check": numbered(400, body={}),
    "DELETE /storage/check": numbered(404),
    "GET /audit": of_all_studies,
    "GET /audit/csv": of_all_studies,
    "GET /setup/audit": of_all_studies,
    "POST /shares": share_study,
    "DELETE /shares/{share}": numbered(404, share="1"),
    "POST /shares/{share}/restore": numbered(404, share="1"),
    "GET /createlink": create_link,
    "POST /share": said(404, 429, token="nobody-has-this-one"),
    "GET /share/{token}": numbered(404, 429, token="nobody-has-this-one"),
    "GET /portal": said(200, 404),
    "GET /visit": said(200, 303, 401),
    "GET /ohif": said(404),
    "GET /ohif/{path...}": numbered(404, path="viewer"),
    "POST /portal": said(404, patient_id="nobody", accession_number="none"),
    **ACTIONS,
    **ENTRIES,
    **MAPPINGS,
}


# -- who calls -----------------------------------------------------------------------------------------------------------
async def make_callers(archive) -> list[Caller]:
    """Every role, row filters that mirror each other, and credentials that prove nothing."""
    async with App.opened(Start(archive.environment)) as app:

        async def bearer(name: str, role: str, sees: str = "", **token) -> Mapping[str, str]:
            row_filter = {"Modality": [sees]} if sees else None
            await app.accounts.add(name, role, PASSWORD, by="test", row_filter=row_filter)
            return {"Authorization": f"Bearer {await app.accounts.create_token(name, by='test', **token)}"}

        callers = [Caller(role, await bearer(f"any-{role}", role), ROLES[role]) for role in ROLES]
        for role, sees in (("Admin", "CR"), ("Admin", "MR"), ("Referring", "CR")):
            name = f"{role}-{sees}"
            callers.append(Caller(name, await bearer(name, role, sees), ROLES[role], sees))
        expired = await bearer("expired", "Admin", lifetime=timedelta(seconds=-1))
        revoked = await bearer("revoked", "Admin")
        await app.accounts.revoke_token(revoked["Authorization"].removeprefix("Bearer "), by="test")
        disabled = await bearer("disabled", "Admin")
        await app.accounts.change("disabled", by="test", disabled=True)
    wrong = {"Authorization": "Bearer nobody-has-this-one"}
    refused = {"nobody": {}, "wrong": wrong, "expired": expired, "revoked": revoked, "disabled": disabled}
    return [*callers, *(Caller(name, headers, known=False) for name, headers in refused.items())]


async def session_of(role: str, sees: str, archive) -> Caller:
    """A new user who has logged in by a browser."""
    async with App.opened(Start(archive.environment)) as app:
        await app.accounts.add("rosa", role, PASSWORD, by="test", row_filter={"Modality": [sees]})
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        answer = await client.post("/login", json={"name": "rosa", "password": PASSWORD})
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert answer.status_code == 200
    return Caller("session", {"Cookie": cookies, "Origin": archive.url}, ROLES[role], sees)


async def make_visitors(archive, studies: Mapping[str, Study]) -> list[Caller]:
    """Who came by a link to all studies that one who sees CR has made, and by the portal for one study."""
    token = await archive.token("Manager", {"Modality": ["CR"]})
    await archive.run("settings", "set", "patient_portal", "1")
    shared, own = frozenset({studies["CR"].uid, studies["BOTH"].uid}), studies["BOTH"]
    numbers = {"patient_id": own.patient_id, "accession_number": own.patient_id.replace("ID-", "ACC")}
    links = {}
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, verify=False
    ) as client:
        for name, dicom in (("link to DICOM", True), ("link to JPEG", False)):
            made = await client.post("/shares", json={"studies": [*shared], "dicom": dicom})
            links[name] = {"token": made.json()["link"].rpartition("/")[2]}
    view, fetch = frozenset({"view"}), frozenset({"view", "retrieve"})
    return [
        Caller("link to DICOM", await entered(archive, "/share", links["link to DICOM"]), fetch, "CR", only=shared),
        Caller("link to JPEG", await entered(archive, "/share", links["link to JPEG"]), view, "CR", only=shared),
        Caller("portal", await entered(archive, "/portal", numbers), view, only=frozenset({own.uid})),
    ]


async def entered(archive, door: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a browser that came by a door."""
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        answer = await client.post(door, json=given)
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert answer.status_code == 200, answer.text
    return {"Cookie": cookies, "Origin": archive.url}


async def shelve(modality) -> dict[str, Study]:
    """Store one study of each kind."""
    studies = {}
    for kind in KINDS:
        studies[kind], objects = a_shelved_study(kind)
        await modality.give(objects)
    return studies


def routes_of(*plugins: str) -> list[WebRoute | WebSocketRoute]:
    return list(make_table(App(Start({}, plugins=plugins), (), {}))[0].routes)


def calls_today(route: WebRoute, caller: Caller) -> bool:
    """Whoever sees CR calls every route, of all others each day two or three."""
    return caller.name == "Admin-CR" or is_todays(route.method, route.path, caller.name, parts=4)


def some_of(routes: Sequence[WebRoute]) -> list[WebRoute]:
    """A third of the routes."""
    return [route for route in routes if is_todays(route.method, route.path, parts=3)]


def requests_of(routes: Sequence[WebRoute | WebSocketRoute]) -> list[WebRoute]:
    return [route for route in routes if isinstance(route, WebRoute)]


# -- what holds ----------------------------------------------------------------------------------------------------------
def test_every_route_can_be_called_and_every_recipe_is_of_a_route() -> None:
    matrix = Matrix([], {}, RECIPES)
    routes = requests_of(routes_of())
    for route in routes:
        assert matrix.asks(route, Target.absent())
    known = {f"{way} {route.path}" for route in routes for way in (route.method, *(["PAGE"] if is_page(route) else []))}
    assert RECIPES.keys() <= known


def test_what_is_answered_beside_the_routes_is_for_anybody() -> None:
    _, pages = make_table(App(Start({}), (), {}))
    assert {rule.rule for rule in pages.quart.url_map.iter_rules()} == PUBLIC_PAGES


@pytest.mark.always
@pytest.mark.settings(media_most_pictures=0)  # pictures on media take most of the time, and are those of /rendered
async def test_nobody_sees_or_does_more_than_role_and_filter_say(archive, modality) -> None:
    matrix = Matrix(await make_callers(archive), await shelve(modality), RECIPES, calls=calls_today)
    routes = requests_of(routes_of())
    cells = matrix.cells(routes)
    await modality.give(matrix.objects)
    await schedule(archive.url, matrix.callers[0], cells)
    faults = judged(await matrix.run(archive.url, cells))
    print(f"{len(cells)} cells of {len(routes)} routes")
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])


async def test_a_visitor_sees_what_they_came_for_and_nothing_else(archive, modality) -> None:
    studies = await shelve(modality)
    await modality.give(a_shelved_study("CR")[1])
    matrix = Matrix(await make_visitors(archive, studies), studies, RECIPES)
    routes = [route for route in requests_of(routes_of()) if route.path not in OF_SESSIONS]
    faults = judged(await matrix.run(archive.url, matrix.cells(routes)))
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])


async def test_a_session_sees_what_its_user_sees(archive, modality) -> None:
    """But /createlink, which takes no cookie."""
    matrix = Matrix([await session_of("Manager", "CR", archive)], await shelve(modality), RECIPES)
    routes = [route for route in some_of(requests_of(routes_of())) if route.path not in OF_SESSIONS | {"/createlink"}]
    cells = matrix.cells(routes)
    await modality.give(matrix.objects)
    await schedule(archive.url, Caller("Admin", {"Authorization": f"Bearer {await archive.token()}"}), cells)
    faults = judged(await matrix.run(archive.url, cells))
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])


async def test_what_is_hidden_changes_no_answer(archive, modality) -> None:
    """No count, total, order or ETag differs when more is stored that the caller does not see."""
    callers = [caller for caller in await make_callers(archive) if caller.name == "Admin-CR"]
    studies = await shelve(modality)
    matrix = Matrix(callers, studies, RECIPES)
    admin = Caller("Admin", {"Authorization": f"Bearer {await archive.token()}"})
    routes = [one for one in some_of(requests_of(routes_of())) if one.method == "GET" and one.path not in CHANGING]
    cells = [cell for cell in matrix.cells(routes) if cell.method == "GET" and cell.base == cell.route.bases[0]]
    await schedule(archive.url, admin, cells)
    before = await matrix.run(archive.url, cells)
    await shelve_more(modality, studies)
    hidden = Target.of(a_shelved_study("MR")[0], "MR")
    await schedule(archive.url, admin, [replace(cell, target=hidden) for cell in cells if cell.ask.values])
    after = await matrix.run(archive.url, cells)
    told = [difference(cell, was, now) for (cell, was), (_, now) in zip(before, after, strict=True) if was != now]
    assert not told, "\n".join(told[:20])


def difference(cell: Cell, was: Answer, now: Answer) -> str:
    """What became of an answer, in words."""
    here = next((at for at, (one, other) in enumerate(zip(was.body, now.body, strict=False)) if one != other), 0)
    bodies = f"{was.body[max(here - 60, 0) : here + 60]!r} became {now.body[max(here - 60, 0) : here + 60]!r}"
    return f"{cell}: {was.status} became {now.status}; {set(was.headers.split()) ^ set(now.headers.split())}; {bodies}"


async def schedule(url: str, caller: Caller, cells: Sequence[Cell]) -> None:
    """Create the workitems that cells name."""
    named = {
        cell.target.series: cell.target for cell in cells if "workitem" in cell.ask.values and cell.target.modality
    }
    async with httpx.AsyncClient(base_url=url, headers={**caller.headers, **DICOM_JSON}, verify=False) as client:
        for target in named.values():
            answer = await client.post("/dicom-web/workitems", content=workitem_of(target))
            assert answer.status_code == 201, answer.text


async def shelve_more(modality, studies: Mapping[str, Study]) -> None:
    """Store a further study, series and object that the filter Modality=CR hides."""
    await modality.give(a_shelved_study("MR")[1])
    both = studies["BOTH"]
    known = {"StudyInstanceUID": both.uid, "PatientID": both.patient_id, "Modality": "MR"}
    await modality.give(
        an_object(**known, SeriesInstanceUID=both.series["MR"].uid, InstanceNumber=2),
        an_object(**known, SeriesNumber=9),
    )


async def test_websockets_open_to_who_has_the_permission(archive) -> None:
    callers = await make_callers(archive)
    for number, route in enumerate(one for one in routes_of() if isinstance(one, WebSocketRoute)):
        for caller in callers:
            path = route.bases[0] + route.path.replace("{aet}", "AET")
            # An address from which credentials often fail has to wait.
            status = await opens(archive.url, path, caller, f"127.1.1.{number + 1}")
            assert status == caller.refusal(route.permission), f"{path} {caller.name}"


async def opens(url: str, path: str, caller: Caller, address: str) -> int | None:
    """Give the status with which a WebSocket is refused, None where it opens."""
    headers = dict(caller.headers)
    try:
        async with connect(url.replace("http", "ws", 1) + path, additional_headers=headers, local_addr=(address, 0)):
            return None
    except InvalidStatus as refused:
        return refused.response.status_code


# -- the matrix finds leaks ----------------------------------------------------------------------------------------------
LEAKS = """
    from sqlalchemy import text
    from charrua_core.errors import StudyNotFound
    from charrua_core.web import HttpError, Response, WebRoute, json_response

    async def rows(request, statement, **given):
        async with request.app.db.reading() as connection:
            return [list(row) for row in await connection.execute(text(statement), given)]

    async def unfiltered(request):
        found = await rows(request, "select study_uid from core.study where study_uid = :uid", uid=request.parameters["study"])
        if not found:
            raise StudyNotFound
        return json_response(found)

    async def listing(request):
        return json_response(await rows(request, "select patient_name from core.study"))

    async def header(request):
        (uids,) = await rows(request, "select string_agg(study_uid, ',') from core.study")
        return Response(200, b"[]", "application/json", [("X-Studies", uids[0])])

    async def oracle(request):
        found = await rows(request, "select 1 from core.study where study_uid = :uid", uid=request.parameters["study"])
        raise HttpError(404, "you may not see this study" if found else "there is no such study")

    async def shape(request):
        return Response(404, b"<h1>Not here</h1>", "text/html")

    @hookimpl
    def web_routes():
        calls = {"unfiltered/{study}": unfiltered, "listing": listing, "header": header, "oracle/{study}": oracle,
            "shape/{study}": shape}
        return [WebRoute("GET", f"/leak/{path}", call, "query", "Leak", tag="Leaks") for path, call in calls.items()]
"""


async def test_the_matrix_finds_leaks(start_archive, write_plugin) -> None:
    plugin = write_plugin("leaks", LEAKS)
    archive = await start_archive(plugins=[plugin])
    callers = [one for one in await make_callers(archive) if one.name in ("Admin", "Admin-CR", "nobody")]
    matrix = Matrix(callers, await shelve(Modality(archive.peer)))
    cells = matrix.cells(route for route in requests_of(routes_of(plugin)) if route.tag == "Leaks")
    faults = judged(await matrix.run(archive.url, cells))
    for leak in ("unfiltered", "listing", "header", "oracle", "shape"):
        assert any(f"/leak/{leak}" in fault for fault in faults), leak
