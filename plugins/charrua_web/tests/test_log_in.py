"""Logging in: sessions of browsers, what ends them, what other sites may not do with them, and how guessing is slowed down."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from charrua_core.errors import SettingInvalid
from charrua_core.testing.waiting import until

PASSWORD = "an unlikely password"
PLUGIN = """
    from charrua_core.web import Response, WebRoute, json_response

    async def act(request):
        return Response(200, request.identity.name.encode(), "text/plain")

    async def whence(request):
        return json_response({"address": request.origin.address, "base": request.base})

    @hookimpl
    def web_routes():
        return [
            WebRoute("POST", "/act", act, "edit", "Act", tag="Test"),
            WebRoute("GET", "/act", act, "query", "Look", tag="Test"),
            WebRoute("GET", "/whence", whence, "query", "Tell where it came from", tag="Test"),
        ]
"""


@pytest.fixture
async def archive(serve_web, write_plugin):
    return await serve_web(plugins=[write_plugin("acting", PLUGIN)])


def client_of(archive, **more) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=archive.url, headers={"Origin": archive.url}, timeout=30, **more, verify=False)


async def logged_in(archive, role: str = "Manager") -> httpx.AsyncClient:
    client = client_of(archive)
    answer = await client.post("/login", json={"name": await archive.user(role), "password": PASSWORD})
    assert answer.status_code == 200
    return client


async def test_a_browser_logs_in_by_a_cookie_that_scripts_cannot_read(archive) -> None:
    client = client_of(archive)
    answer = await client.post("/login", json={"name": await archive.user("Referring"), "password": PASSWORD})
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith("charrua=")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Lax"}
    assert answer.json()["name"] == "referring1"
    assert (await client.get("/whoami")).json() == {
        "name": "referring1",
        "roles": ["Referring"],
        "permissions": ["change_password", "query", "retrieve", "view"],
        "must_change_password": False,
    }
    assert (await client.get("/act")).text == "referring1"


async def test_nobody_is_told_that_they_are_nobody(archive) -> None:
    assert (await client_of(archive).get("/whoami")).json()["name"] == ""


async def test_the_session_is_another_after_each_log_in_and_the_one_before_ends(archive) -> None:
    client = await logged_in(archive)
    first = client.cookies["charrua"]
    await client.post("/login", json={"name": "manager1", "password": PASSWORD})
    assert client.cookies["charrua"] != first
    assert (await client.get("/act")).status_code == 200
    assert (await client_of(archive, cookies={"charrua": first}).get("/act")).status_code == 401


async def test_a_log_out_ends_the_session_itself_not_just_the_cookie(archive) -> None:
    client = await logged_in(archive)
    kept = client.cookies["charrua"]
    assert (await client.post("/logout")).status_code == 204
    assert "charrua" not in client.cookies
    assert (await client_of(archive, cookies={"charrua": kept}).get("/act")).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts: accounts.set_password("manager1", "another password", by="admin"),
        lambda accounts: accounts.change("manager1", by="admin", role="Referring"),
        lambda accounts: accounts.change("manager1", by="admin", disabled=True),
        lambda accounts: accounts.sessions.kill("manager1", by="admin"),
        lambda accounts: accounts.remove("manager1", by="admin"),
    ],
    ids=["password", "role", "disabled", "killed", "removed"],
)
async def test_a_session_is_dead_at_once_when_its_account_changes(archive, change) -> None:
    client = await logged_in(archive)
    assert (await client.get("/act")).status_code == 200
    await change(archive.app.accounts)
    await until(lambda: _is_refused(client), timeout_s=1)


async def _is_refused(client: httpx.AsyncClient) -> bool:
    return (await client.get("/act")).status_code == 401


async def test_a_revoked_token_and_a_changed_password_are_forgotten_at_once(archive) -> None:
    token = await archive.token("Manager")
    bearer = client_of(archive)
    bearer.headers["Authorization"] = f"Bearer {token}"
    basic = client_of(archive, auth=("manager1", PASSWORD))
    assert (await bearer.get("/act")).status_code == (await basic.get("/act")).status_code == 200
    await archive.app.accounts.set_password("manager1", "another password", by="admin")
    await until(lambda: _is_refused(basic))  # each guess is a hash
    await archive.app.accounts.revoke_token(token, by="admin")
    await until(lambda: _is_refused(bearer))


async def test_a_change_of_a_filter_counts_for_the_next_request(archive) -> None:
    client = await logged_in(archive)
    before = len((await client.get("/whoami")).json()["permissions"])
    await archive.app.accounts.change("manager1", by="admin", role="Referring")
    await until(lambda: _is_refused(client), timeout_s=1)
    await client.post("/login", json={"name": "manager1", "password": PASSWORD})
    assert len((await client.get("/whoami")).json()["permissions"]) < before


@pytest.mark.parametrize(("timeout", "lives"), [("0.3 s", False), ("20 min", True), ("0 s", True)])
async def test_a_session_that_is_not_used_ends(serve_web, write_plugin, timeout: str, lives: bool) -> None:
    archive = await serve_web({"session_timeout": timeout}, [write_plugin("acting", PLUGIN)])
    client = await logged_in(archive)
    await asyncio.sleep(0.5)
    assert (await client.get("/act")).status_code == (200 if lives else 401)


async def test_who_must_change_the_password_may_only_do_that(archive) -> None:
    client = client_of(archive)
    answer = await client.post("/login", json={"name": "admin", "password": "admin"})
    assert answer.json()["must_change_password"]
    assert (await client.get("/act")).status_code == 403
    assert (await client.post("/password", json={"current": "wrong one", "new": PASSWORD})).status_code == 401
    assert (await client.post("/password", json={"current": "admin", "new": "short"})).status_code == 409
    old = client.cookies["charrua"]
    assert (await client.post("/password", json={"current": "admin", "new": PASSWORD})).status_code == 200
    assert client.cookies["charrua"] != old
    assert (await client.get("/act")).status_code == 200
    assert (await client_of(archive, cookies={"charrua": old}).get("/act")).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Origin": None}, 403),
        ({}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": None, "Sec-Fetch-Site": "none"}, 200),
        ({"Origin": None, "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_no_other_site_acts_by_the_cookie(archive, fields: dict[str, str | None], status: int) -> None:
    client = await logged_in(archive)
    del client.headers["Origin"]
    given = {"Origin": archive.url, **fields}
    answer = await client.post("/act", headers={name: value for name, value in given.items() if value})
    assert answer.status_code == status
    assert (await client.get("/act")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 200), ({"Origin": "https://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403)],
)
async def test_no_other_site_acts_by_a_password_that_the_browser_remembers(archive, fields, status: int) -> None:
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        answer = await client.post("/act", auth=(await archive.user("Manager"), PASSWORD), headers=fields)
    assert answer.status_code == status


async def test_a_token_is_nothing_that_another_site_has(archive, browse) -> None:
    answer = await (await browse("Manager")).post("/act", headers={"Origin": "https://viewer.example"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content": b'{"name": "a", "password": "b"}', "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": {"name": "a", "password": "b"}}, 415),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"name": "a"}}, 400),
        ({"json": {"name": "a", "password": 1}}, 400),
        ({"json": ["a"]}, 400),
        ({"json": {"name": "a", "password": "x" * 20_000}}, 413),
        ({"json": {"name": "a", "password": "b"}, "headers": {"Content-Encoding": "gzip"}}, 415),
        ({"json": {"name": "a", "password": "b"}, "headers": {"Origin": "https://evil.example"}}, 403),
        ({"json": {"name": "a\0", "password": "b"}}, 401),
    ],
)
async def test_a_log_in_is_json_of_the_own_page(archive, body, status: int) -> None:
    assert (await client_of(archive).post("/login", **body)).status_code == status


async def test_guesses_wait_longer_and_longer_whatever_way_they_take(archive) -> None:
    name = await archive.user()
    client = client_of(archive)
    for _ in range(6):
        assert (await client.post("/login", json={"name": name, "password": "a guess"})).status_code == 401
    waits = [
        await client.post("/login", json={"name": name, "password": PASSWORD}),
        await client.get("/act", auth=(name, PASSWORD)),
    ]
    for answer in waits:
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 5


async def test_a_script_of_a_page_is_not_asked_by_the_browsers_own_question(archive) -> None:
    answer = await client_of(archive).get("/act", headers={"Sec-Fetch-Mode": "cors"})
    assert [one.split()[0] for one in answer.headers.get_list("www-authenticate")] == ["Bearer"]


async def test_who_is_known_costs_neither_database_nor_hash(archive, monkeypatch) -> None:
    asked = []
    log_in = archive.app.log_in

    async def counted(credentials):
        asked.append(credentials["scheme"])
        return await log_in(credentials)

    monkeypatch.setattr(archive.app, "log_in", counted)
    async with httpx.AsyncClient(base_url=archive.url, auth=(await archive.user(), PASSWORD)) as client:
        answers = await asyncio.gather(*(client.get("/act") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert asked == ["password"]


async def test_a_lost_notification_is_made_good_in_seconds(archive, monkeypatch) -> None:
    from charrua_web import callers

    monkeypatch.setattr(callers, "TOKEN_KNOWN_S", 0.2)
    monkeypatch.setattr(callers.Callers, "forget", lambda self: None)
    client = await logged_in(archive)
    assert (await client.get("/act")).status_code == 200
    await archive.app.accounts.change("manager1", by="admin", disabled=True)
    await until(lambda: _is_refused(client), timeout_s=2)


# -- callers without log-in ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 401),
        ({"rest_authentication": "off", "anonymous_role": "General"}, 200),
        ({"rest_authentication": "off", "anonymous_role": "General", "anonymous_networks": "127.0.0.1"}, 200),
        ({"rest_authentication": "off", "anonymous_role": "General", "anonymous_networks": "10.0.0.0/8"}, 401),
    ],
)
async def test_callers_without_log_in_where_the_site_allows_them(serve_web, write_plugin, settings, status) -> None:
    archive = await serve_web(settings, [write_plugin("acting", PLUGIN)])
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        assert (await client.get("/act")).status_code == status
        assert (await client.post("/act")).status_code == (403 if status == 200 else 401)


# -- reverse proxies -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("trusted", "fields", "address", "root"),
    [
        ("", {}, "127.0.0.1", "http://pacs.example"),
        ("", {"X-Forwarded-For": "10.1.1.1", "X-Forwarded-Proto": "https"}, "0.0.0.0", "http://pacs.example"),
        (
            "127.0.0.1",
            {"X-Forwarded-For": "10.1.1.1", "X-Forwarded-Proto": "https"},
            "10.1.1.1",
            "https://pacs.example",
        ),
        ("127.0.0.0/8 10.0.0.0/8", {"X-Forwarded-For": "8.8.8.8, 9.9.9.9, 10.1.1.1"}, "9.9.9.9", "http://pacs.example"),
        ("127.0.0.1", {"X-Forwarded-For": "nonsense"}, "127.0.0.1", "http://pacs.example"),
        ("127.0.0.1", {"X-Forwarded-Host": "img.example"}, "127.0.0.1", "http://img.example"),
        (
            "127.0.0.1",
            {"Forwarded": 'for="[2001:db8::1]:4711";proto=https;host=img.example'},
            "2001:db8::1",
            "https://img.example",
        ),
    ],
)
async def test_a_proxy_tells_who_is_behind_it_if_it_is_trusted(
    serve_web, write_plugin, trusted: str, fields: dict[str, str], address: str, root: str
) -> None:
    archive = await serve_web({"web_trusted_proxies": trusted}, [write_plugin("acting", PLUGIN)])
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        client.headers = {"Authorization": f"Bearer {await archive.token()}", "Host": "pacs.example", **fields}
        assert (await client.get("/whence")).json() == {"address": address, "base": root}


async def test_a_cookie_behind_tls_is_of_this_host_alone(serve_web) -> None:
    archive = await serve_web({"web_trusted_proxies": "127.0.0.1"})
    async with httpx.AsyncClient(base_url=archive.url, headers={"X-Forwarded-Proto": "https"}, verify=False) as client:
        answer = await client.post("/login", json={"name": await archive.user(), "password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-charrua=")
    assert "; Secure" in answer.headers["set-cookie"]


# -- pages of other origins ----------------------------------------------------------------------------------------------
VIEWER = "https://viewer.example"


@pytest.mark.parametrize(
    ("allowed", "origin", "named", "credentials"),
    [
        ("", VIEWER, None, None),
        (VIEWER, VIEWER, VIEWER, "true"),
        (VIEWER, "https://evil.example", None, None),
        ("*", "https://evil.example", "*", None),
        (f"* {VIEWER}", VIEWER, VIEWER, "true"),
    ],
)
async def test_pages_of_allowed_origins_read_answers(
    serve_web, write_plugin, allowed, origin, named, credentials
) -> None:
    archive = await serve_web({"web_cors_origins": allowed}, [write_plugin("acting", PLUGIN)])
    asking = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    token = {"Authorization": f"Bearer {await archive.token()}"}
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        preflight = await client.options("/act", headers=asking)
        answers = [
            preflight,
            await client.get("/act", headers={"Origin": origin, **token}),
            await client.get("/act", headers={"Origin": origin}),
            await client.get("/nothing", headers={"Origin": origin}),
        ]
    for answer in answers:
        assert answer.headers.get("access-control-allow-origin") == named
        assert answer.headers.get("access-control-allow-credentials") == credentials
        assert ("Origin" in answer.headers.get("vary", "")) == bool(allowed)
    assert preflight.status_code == (204 if allowed else 405)
    assert preflight.headers.get("access-control-allow-headers") == ("authorization" if named else None)


def test_a_network_is_an_address_or_a_network() -> None:
    from charrua_web.networks import Networks

    networks = Networks(["10.0.0.0/8", "::1"])
    assert all(address in networks for address in ("10.2.3.4", "::1", "::ffff:10.0.0.1"))
    assert not any(address in networks for address in ("11.0.0.1", "", "name", "::2"))


@pytest.mark.parametrize(
    ("settings", "role", "fields", "status"),
    [
        ({}, None, {}, 200),
        ({}, None, {"X-Forwarded-For": "127.0.0.1"}, 401),
        ({"metrics_from": "10.0.0.0/8"}, None, {}, 401),
        ({"metrics_from": "10.0.0.0/8"}, "Referring", {}, 403),
        ({"metrics_from": "10.0.0.0/8"}, "Admin", {}, 200),
    ],
)
async def test_metrics_are_for_the_networks_named_and_who_configures(serve_web, settings, role, fields, status) -> None:
    archive = await serve_web(settings)
    token = {"Authorization": f"Bearer {await archive.token(role)}"} if role else {}
    async with httpx.AsyncClient(base_url=archive.url, headers={**token, **fields}, verify=False) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == status
    assert ("# TYPE charrua_build_info gauge" in answer.text) == (status == 200)


@pytest.mark.parametrize(
    "settings",
    [
        {"rest_authentication": "off"},
        {"rest_authentication": "off", "anonymous_role": "General", "web_host": "0.0.0.0"},
        {"web_trusted_proxies": "proxy.example"},
        {"web_tls_certificate": "/nowhere/certificate.pem"},
    ],
)
async def test_a_server_that_would_be_open_or_cannot_be_set_up_does_not_start(serve_web, settings) -> None:
    with pytest.raises(SettingInvalid):
        await serve_web(settings)


async def test_the_first_password_does_not_come_through_a_proxy(archive) -> None:
    given = {"name": "admin", "password": "admin"}
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"X-Forwarded-For": "127.0.0.1"}, verify=False
    ) as client:
        assert (await client.post("/login", json=given)).status_code == 403
