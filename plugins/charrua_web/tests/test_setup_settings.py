"""Settings over HTTP: shown with where each comes from, checked, kept with their history, taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from charrua_core import audit


@pytest.fixture
async def admin(serve_web) -> AsyncIterator[Callable[..., Any]]:
    """A function that opens a client of an administrator at a new server: `client, served = await admin(settings={…})`."""
    clients = []

    async def admin(**given):
        served = await serve_web(**given)
        headers = {"Authorization": f"Bearer {await served.token('Admin')}"}
        clients.append(httpx.AsyncClient(base_url=served.url, headers=headers, timeout=20, verify=False))
        return clients[-1], served

    yield admin
    for client in clients:
        await client.aclose()


async def told(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    return next(one for one in (await client.get("/settings")).json() if one["name"] == name)


async def put(client: httpx.AsyncClient, name: str, value: object) -> httpx.Response:
    return await client.put(f"/settings/{name}", json={"value": value})


async def test_a_setting_is_told_with_all_that_a_form_needs(admin) -> None:
    client, _ = await admin()
    one = await told(client, "dicom_idle_timeout")
    assert (one["kind"], one["value"], one["default"], one["source"]) == ("duration", "10 min", "10 min", "default")
    assert (one["effect"], one["minimum"], one["fixed"], one["waits"]) == ("at restart", 0.1, "", False)


async def test_a_change_at_once_is_in_force_and_known_with_who_made_it(admin) -> None:
    client, served = await admin()
    answer = await put(client, "query_results", 77)
    assert answer.status_code == 200
    assert served.app.settings["query_results"] == 77
    one = await told(client, "query_results")
    assert (one["source"], one["changed_by"]) == ("database", "admin1")
    [record] = [row for row in await audit.read(served.app.db) if row["detail"].get("setting")]
    assert (record["detail"], record["origin"]["kind"]) == ({"setting": "query_results", "value": "77"}, "web")


async def test_a_change_for_the_next_start_waits_and_every_page_of_setup_says_so(admin) -> None:
    client, served = await admin()
    await put(client, "dicom_aet", "NORTE")
    one = await told(client, "dicom_aet")
    assert (one["waits"], one["in_force"], served.app.settings["dicom_aet"]) == (True, "CHARRUA", "CHARRUA")
    for path in ("/setup", "/setup/peers"):
        assert "1 change waits for a restart" in (await client.get(path, headers={"Accept": "text/html"})).text


async def test_the_history_leads_back(admin) -> None:
    client, _ = await admin()
    await put(client, "query_results", 5)
    await put(client, "query_results", 6)
    await client.delete("/settings/query_results")
    changes = (await client.get("/settings/query_results/history")).json()
    assert [one["value"] for one in changes] == [None, 6, 5]
    assert (await told(client, "query_results"))["source"] == "default"


async def test_a_secret_is_written_and_never_read(admin) -> None:
    client, _ = await admin()
    answer = await put(client, "deidentification_key", "a very secret key of ours")
    assert answer.status_code == 200
    texts = [answer.text, (await client.get("/settings")).text]
    texts.append((await client.get("/settings/deidentification_key/history")).text)
    texts.append((await client.get("/setup/settings", headers={"Accept": "text/html"})).text)
    texts.append((await client.get("/setup/audit", headers={"Accept": "text/html"})).text)
    assert not any("very secret" in text for text in texts)


async def test_what_the_environment_decides_is_shown_and_cannot_be_changed(admin) -> None:
    client, _ = await admin(settings={"query_results": 9})
    assert (await told(client, "query_results"))["fixed"] == "environment"
    answer = await put(client, "query_results", 10)
    assert (answer.status_code, "CHARRUA_QUERY_RESULTS" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("query_results", "many", "whole number"),
        ("query_results", -1, "at least 0"),
        ("dicom_aet", "MUCH TOO LONG AN AE TITLE", "1 to 16"),
        ("web_authentication", False, "anonymous_role"),
        ("dicom_tls", "require", "authorities"),
        ("web_trusted_proxies", "10.0.0.300", "10.0.0.300"),
        ("send_retries", "later", "later"),
        ("volume", "/etc/passwd/images", "no folder"),
        ("dicom_other_aets", "AN_AE_TITLE_OF_20_CHARS", "no AE title"),
    ],
)
async def test_what_will_not_do_or_would_keep_it_from_starting_is_refused(admin, name, value, why) -> None:
    client, served = await admin()
    answer = await put(client, name, value)
    assert (answer.status_code, why in answer.json()["detail"]) == (400, True), answer.text
    assert served.app.settings.pending() == []


async def test_a_port_that_another_program_has_is_refused(admin) -> None:
    client, served = await admin()
    port = int(served.url.rpartition(":")[2])
    answer = await put(client, "dicom_tls_port", port)
    assert (answer.status_code, "cannot be had" in answer.json()["detail"]) == (400, True)


async def test_a_local_setting_says_where_it_is_set(admin) -> None:
    client, _ = await admin()
    answer = await put(client, "workers", 2)
    assert (answer.status_code, "CHARRUA_WORKERS" in answer.json()["detail"]) == (409, True)
    assert (await client.put("/settings/nothing", json={"value": 1})).status_code == 404


async def test_every_setting_is_on_the_page(admin) -> None:
    client, served = await admin()
    page = (await client.get("/setup/settings", headers={"Accept": "text/html"})).text
    assert [name for name in served.app.settings.declarations if f'id="setting-{name}"' not in page] == []
