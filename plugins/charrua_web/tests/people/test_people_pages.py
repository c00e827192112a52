"""The pages about people, and how they log in and out: what is asked for first, who needs not log in, who did nothing."""

from __future__ import annotations

import httpx
import pytest

PASSWORD = "an unlikely password"
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
OPEN = {"web_authentication": "off", "anonymous_role": "General"}


@pytest.fixture
async def served(serve_web):
    return await serve_web()


@pytest.fixture
async def client_at():
    """A function that opens a client: `client = client_at(served, token)`."""
    clients = []

    def client_at(served, token: str = "", **headers: str) -> httpx.AsyncClient:
        given = {"Origin": served.url, **HTML, **headers}
        if token:
            given["Authorization"] = f"Bearer {token}"
        clients.append(httpx.AsyncClient(base_url=served.url, headers=given, timeout=30, verify=False))
        return clients[-1]

    yield client_at
    for client in clients:
        await client.aclose()


async def test_the_list_has_users_with_what_they_see(served, client_at) -> None:
    await served.app.accounts.add(
        "eva", "General", PASSWORD, by="test", row_filter={"Modality": ["CR", "DX"]}, full_name="Eva <Ruiz>"
    )
    admin = client_at(served, await served.token("Admin"))
    page = (await admin.get("/setup/people", params={"search": "ruiz"})).text
    assert "Modality: CR, DX" in page
    assert "Eva &lt;Ruiz&gt;" in page
    assert "1 user<" in page
    assert "No user is like this" in (await admin.get("/setup/people", params={"search": "nobody"})).text
    assert "Eva &lt;Ruiz&gt;" in (await admin.get("/setup/people/user", params={"name": "eva"})).text
    assert (await admin.get("/setup/people/user", params={"name": "nobody"})).status_code == 404


@pytest.mark.parametrize("role", ["Manager", "Radiologist", "Referring", "General"])
async def test_pages_about_others_are_for_administrators(served, client_at, role) -> None:
    client = client_at(served, await served.token(role))
    assert {(await client.get(path)).status_code for path in ("/setup/people", "/setup/people/user")} == {403}
    assert (await client.get("/me")).status_code == 200


async def test_who_must_change_the_password_is_asked_for_it_before_anything_else(served, client_at) -> None:
    client = client_at(served)
    await client.post("/login", json={"name": "admin", "password": "admin"})
    for path in ("/studies", "/setup/people"):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/password")
    assert "Choose one of your own" in (await client.get("/password")).text
    await client.post("/password", json={"current": "admin", "new": PASSWORD})
    assert (await client.get("/setup/people")).status_code == 200


async def test_the_wait_after_wrong_passwords_is_told(served, client_at) -> None:
    client, name = client_at(served), await served.user("General")
    answers = [await client.post("/login", json={"name": name, "password": "wrong"}) for _ in range(7)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert answers[-1].json()["retry_after_s"] == int(answers[-1].headers["retry-after"]) > 0


# -- without log-in ----------------------------------------------------------------------------------------------------
async def test_pages_need_no_log_in_where_the_site_says_so_but_programs_do(serve_web, client_at) -> None:
    served = await serve_web(OPEN)
    visitor = client_at(served)
    assert (await client_at(served).get("/dicom-web/studies", headers=JSON)).status_code == 401
    page = await visitor.get("/studies")
    assert page.status_code == 200
    assert "HttpOnly; SameSite=Lax" in page.headers["set-cookie"]
    assert (await visitor.get("/dicom-web/studies", headers=JSON)).status_code == 200  # as its scripts ask
    assert (await client_at(served, Origin="https://evil.example").post("/filters/preview")).status_code == 403


async def test_a_visitor_who_wants_more_is_asked_to_log_in(serve_web, client_at) -> None:
    served = await serve_web(OPEN)
    visitor = client_at(served)
    assert (await visitor.get("/setup/people")).headers["location"] == "/login?next=/setup/people"
    assert (await visitor.get("/login")).status_code == 200
    assert (await visitor.post("/users", json={})).status_code == 403
    name = await served.user("Admin")
    await visitor.post("/login", json={"name": name, "password": PASSWORD})
    assert (await visitor.get("/setup/people")).status_code == 200


async def test_the_visitors_cookie_is_worth_nothing_where_pages_need_a_log_in(served, client_at) -> None:
    client = client_at(served, Cookie="charrua-visitor=1")
    assert (await client.get("/dicom-web/studies", headers=JSON)).status_code == 401
    assert (await client.get("/studies")).status_code == 303


# -- in a browser ------------------------------------------------------------------------------------------------------
async def test_who_does_nothing_is_warned_and_logged_out_in_all_windows(served, browser_at) -> None:
    page = await browser_at(served, "General")
    other = await page.context.new_page()
    await page.context.clock.install()
    for one in (page, other):
        await one.goto("/me")
    await page.clock.fast_forward("19:20")
    for one in (page, other):
        await one.wait_for_selector("text=Are you still there?")
    await page.click("text=Stay logged in")
    await other.wait_for_selector("text=Are you still there?", state="detached")
    await page.clock.fast_forward("20:10")
    for one in (page, other):
        await one.wait_for_url(lambda url: "/login?" in url and "next=%2Fme" in url)
        assert "admin" not in await one.text_content("body")
    assert (await (await page.request.get("/whoami")).json())["name"] == ""


async def test_who_logs_out_is_out_in_all_windows(served, browser_at) -> None:
    page = await browser_at(served, "General")
    other = await page.context.new_page()
    for one in (page, other):
        await one.goto("/me")
    await page.click("text=Log out")
    await page.wait_for_url(lambda url: url.endswith("/login"))
    await other.wait_for_url(lambda url: "/login?" in url and "next=%2Fme" in url)
