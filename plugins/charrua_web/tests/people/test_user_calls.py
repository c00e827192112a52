"""Users over HTTP: added, changed and removed by administrators alone; what changes holds at once, everywhere."""

from __future__ import annotations

import httpx
import pytest

from charrua_core.testing.devices import received_of
from charrua_core.testing.objects import a_study
from charrua_core.types import Origin

PASSWORD = "an unlikely password"
EVA = {"name": "eva", "password": "long enough", "role": "Radiologist"}


@pytest.fixture
async def served(serve_web):
    return await serve_web()


@pytest.fixture
async def admin(served):
    headers = {"Authorization": f"Bearer {await served.token('Admin')}", "Origin": served.url}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=30, verify=False) as client:
        yield client


async def logged_in(served, name: str, password: str = "long enough") -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=served.url, headers={"Origin": served.url}, timeout=30, verify=False)
    answer = await client.post("/login", json={"name": name, "password": password})
    assert answer.status_code == 200
    return client


async def keep(app, *images) -> None:
    """Store objects."""
    for image in images:
        sent = received_of(image)
        origin = Origin("dimse", calling_aet="CT1", called_aet="CHARRUA")
        spool = app.ingest.begin(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax_uid, origin)
        spool.write(memoryview(sent.data_set))
        await app.ingest.store(spool)


async def test_a_user_lives_over_http(admin, served) -> None:
    details = {"full_name": "Eva Ruiz", "filter": {"Modality": ["CR", "DX"]}, "printer": "FILM1"}
    added = await admin.post("/users", json={**EVA, **details})
    assert added.status_code == 201
    assert added.json().items() >= {"name": "eva", "role": "Radiologist", "disabled": False, **details}.items()
    assert (await admin.get("/users/eva")).json() == added.json()

    changed = await admin.put("/users/eva", json={"filter": None, "transfer_syntax": "1.2.840.10008.1.2.4.50"})
    assert (changed.json()["filter"], changed.json()["full_name"]) == (None, "Eva Ruiz")
    assert changed.json()["transfer_syntax"] == "1.2.840.10008.1.2.4.50"

    assert (await admin.delete("/users/eva")).status_code == 204
    assert (await admin.get("/users/eva")).status_code == 404


async def test_users_are_found_by_what_is_known_of_them(admin) -> None:
    await admin.post("/users", json={**EVA, "full_name": "Eva Núñez"})
    await admin.post("/users", json={**EVA, "name": "rosa", "role": "Manager"})
    await admin.put("/users/rosa", json={"disabled": True})

    async def names(**query: str) -> list[str]:
        return [user["name"] for user in (await admin.get("/users", params=query)).json()]

    assert {"admin", "admin1", "eva", "rosa"} == set(await names())
    assert await names(search="nunez") == ["eva"]
    assert await names(role="Manager") == await names(state="disabled") == ["rosa"]
    assert (await admin.get("/users", params={"role": "King"})).status_code == 400


WRONG = [
    ("POST", "/users", {"name": "eva"}, 400, "password: it is missing"),
    ("POST", "/users", {**EVA, "password_hash": "x"}, 400, "password_hash: there is no such field"),
    ("POST", "/users", {**EVA, "role": 1}, 400, "role: its value is of another type"),
    ("POST", "/users", {**EVA, "role": "King"}, 409, "there is no role King"),
    ("POST", "/users", {**EVA, "password": "short"}, 409, "at least 8 characters"),
    ("POST", "/users", {**EVA, "name": "a/b"}, 409, "no slash"),
    ("POST", "/users", {**EVA, "name": "admin"}, 409, "there is a user admin already"),
    ("POST", "/users", {**EVA, "filter": {"Rows": ["512"]}}, 409, "Rows is no attribute to filter by"),
    ("POST", "/users", {**EVA, "filter": {"Modality": "CR"}}, 409, "1 to 100 values"),
    ("PUT", "/users/nobody", {"disabled": True}, 404, "there is no user nobody"),
    ("PUT", "/users/admin", {"name": "other"}, 400, "name: there is no such field"),
    ("PUT", "/users/admin1", {"disabled": True}, 409, "nobody disables or demotes themselves"),
    ("PUT", "/users/admin1", {"role": "General"}, 409, "nobody disables or demotes themselves"),
    ("DELETE", "/users/admin1", None, 409, "nobody removes themselves"),
    ("PUT", "/users/nobody/password", {"password": "long enough"}, 404, "there is no user nobody"),
    ("POST", "/filters/preview", {"filter": {"Rows": ["1"]}}, 409, "Rows is no attribute"),
    ("POST", "/users/admin/tokens", {"days": 0}, 400, "days: 1 to 3660"),
    ("POST", "/users/nobody/tokens", {}, 404, "there is no user nobody"),
    ("DELETE", "/sessions/admin", None, 404, "there is no such session"),
    ("DELETE", "/tokens/nothing", None, 404, "there is no such token"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "why"), WRONG)
async def test_what_will_not_do_is_refused_with_a_sentence(admin, method, path, body, status, why) -> None:
    answer = await admin.request(method, path, json=body) if body is not None else await admin.request(method, path)
    assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text


async def test_a_password_that_an_administrator_sets_is_changed_at_the_next_log_in(admin, served) -> None:
    await admin.post("/users", json=EVA)
    eva = await logged_in(served, "eva")
    assert (await admin.put("/users/eva/password", json={"password": "from the desk"})).status_code == 204
    assert (await eva.get("/me/account")).status_code == 401
    again = await logged_in(served, "eva", "from the desk")
    assert (await again.get("/whoami")).json()["must_change_password"]
    assert (await again.get("/dicom-web/studies")).status_code == 403


async def test_a_changed_filter_counts_for_the_next_request_of_sessions_and_tokens(admin, served) -> None:
    await keep(served.app, *a_study(Modality="CR"), *a_study(Modality="MR"))
    await admin.post("/users", json=EVA)
    session = await logged_in(served, "eva")
    made = (await admin.post("/users/eva/tokens", json={"purpose": "dictation"})).json()
    token = httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {made['token']}"}, verify=False)

    async def seen() -> list[int]:
        return [len((await client.get("/dicom-web/studies")).json()) for client in (session, token)]

    assert await seen() == [2, 2]
    await admin.put("/users/eva", json={"filter": {"Modality": ["CR"]}})
    assert await seen() == [1, 1]
    await admin.put("/users/eva", json={"filter": {"Modality": ["CR", "M?"]}})
    assert await seen() == [2, 2]
    await admin.put("/users/eva", json={"disabled": True})
    assert [(await client.get("/dicom-web/studies")).status_code for client in (session, token)] == [401, 401]


async def test_a_filter_is_tried_before_it_is_given(admin, served) -> None:
    await keep(served.app, *a_study(Modality="CR"), *a_study(Modality="MR"), *a_study(Modality="MR"))

    async def preview(row_filter) -> dict:
        return (await admin.post("/filters/preview", json={"filter": row_filter})).json()

    assert await preview({"Modality": ["CR"]}) == {"sees": 1, "of": 3, "counted": 100_000}
    assert (await preview({"Modality": ["CT"]}))["sees"] == 0
    assert (await preview(None))["sees"] == 3


async def test_sessions_and_tokens_of_all_are_listed_and_ended(admin, served) -> None:
    await admin.post("/users", json=EVA)
    eva = await logged_in(served, "eva")
    [session] = (await admin.get("/sessions", params={"user": "eva"})).json()
    made = (await admin.post("/users/eva/tokens", json={"days": 30, "purpose": "dictation"})).json()
    [token] = (await admin.get("/tokens", params={"user": "eva"})).json()
    assert (token["id"], token["purpose"]) == (made["id"], "dictation")
    assert made["token"] not in (await admin.get("/tokens")).text
    assert (await admin.delete(f"/sessions/{session['id']}")).status_code == 204
    assert (await eva.get("/whoami")).json()["name"] == ""
    assert (await admin.delete(f"/tokens/{token['id']}")).status_code == 204
    answer = await httpx.AsyncClient(base_url=served.url, verify=False).get(
        "/whoami", headers={"Authorization": f"Bearer {made['token']}"}
    )
    assert answer.status_code == 401


async def test_one_looks_after_ones_own_and_after_nothing_of_others(admin, served) -> None:
    await admin.post("/users", json=EVA)
    eva, elsewhere = await logged_in(served, "eva"), await logged_in(served, "eva")
    sessions = (await eva.get("/me/sessions")).json()
    assert sorted(one["this"] for one in sessions) == [False, True]
    assert (await eva.post("/me/tokens", json={"purpose": "x", "password": "wrong"})).status_code == 401
    made = (await eva.post("/me/tokens", json={"purpose": "x", "password": "long enough"})).json()
    assert [one["id"] for one in (await eva.get("/me/tokens")).json()] == [made["id"]]
    assert (await eva.get("/me/account")).json()["has_account"]

    other = next(one["id"] for one in sessions if not one["this"])
    theirs = (await admin.post("/users/admin/tokens", json={})).json()
    assert (await eva.delete(f"/me/tokens/{theirs['id']}")).status_code == 404
    assert (await admin.delete(f"/me/sessions/{other}")).status_code == 404
    assert (await eva.delete(f"/me/sessions/{other}")).status_code == 204
    assert (await elsewhere.get("/me/account")).status_code == 401
    assert (await eva.delete(f"/me/tokens/{made['id']}")).status_code == 204


async def test_the_trail_says_from_where_a_user_was_changed(admin, served) -> None:
    from sqlalchemy import select

    from charrua_core import tables

    await admin.post("/users", json=EVA)
    async with served.app.db.reading() as connection:
        statement = select(tables.audit).order_by(tables.audit.c.id.desc()).limit(1)
        record = (await connection.execute(statement)).one()
    assert (record.who, record.origin["kind"], record.origin["address"]) == ("admin1", "web", "127.0.0.1")
