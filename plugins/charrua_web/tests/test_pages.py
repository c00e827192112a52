"""What all pages have in common: who is let in, where others are led, language and theme, errors, what they may load."""

from __future__ import annotations

import httpx
import pytest

HTML = {"Accept": "text/html"}
PLUGIN = """
    from charrua_core.web import HttpError, Page, Navigation

    async def show(request):
        return {"status": 418, "name": "A test", "sentence": request.query.first("say")}

    async def fail(request):
        raise ZeroDivisionError

    async def refuse(request):
        raise HttpError(404, "no such thing")

    @hookimpl
    def web_pages(app):
        place = Navigation("main", "Tried", icon="list", order=1)
        return [
            Page("/tried", "charrua_web/error.html", show, "query", "Tried", place),
            Page("/tried/fails", "charrua_web/error.html", fail, "query", "Fails"),
            Page("/tried/refuses", "charrua_web/error.html", refuse, "query", "Refuses"),
            Page("/tried/admin", "charrua_web/error.html", show, "configure", "Of administrators"),
        ]
"""


@pytest.fixture
async def visit(serve_web, write_plugin):
    """A function that opens a client at a server with the pages of PLUGIN."""
    served = await serve_web(plugins=[write_plugin("tried_pages", PLUGIN)])
    clients = []

    async def visit(role: str | None = "General", **headers: str) -> httpx.AsyncClient:
        given = {**HTML, **headers}
        if role:
            given["Authorization"] = f"Bearer {await served.token(role)}"
        clients.append(httpx.AsyncClient(base_url=served.url, headers=given, verify=False))
        return clients[-1]

    yield visit
    for client in clients:
        await client.aclose()


async def test_who_is_not_logged_in_is_led_to_the_log_in_page_and_back(visit) -> None:
    answer = await (await visit(None)).get("/tried?say=hello")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/tried%3Fsay%3Dhello")
    page = await (await visit(None)).get("/login?next=/tried%3Fsay%3Dhello")
    assert 'data-next="/tried?say=hello"' in page.text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_the_log_in_page_leads_to_no_other_site(visit, elsewhere: str) -> None:
    page = await (await visit(None)).get("/login", params={"next": elsewhere})
    assert 'data-next="/studies"' in page.text


async def test_programs_are_told_by_status_that_they_must_log_in(visit) -> None:
    assert (await (await visit(None, Accept="*/*")).get("/tried")).status_code == 401


async def test_a_page_is_told_to_who_lacks_its_permission(visit) -> None:
    page = await (await visit("General")).get("/tried/admin")
    assert page.status_code == 403
    assert "You may not do this" in page.text
    assert (await (await visit("Admin")).get("/tried/admin")).status_code == 200


async def test_a_page_that_fails_gives_a_number_and_no_more(visit, caplog) -> None:
    page = await (await visit()).get("/tried/fails")
    assert page.status_code == 500
    assert "ZeroDivisionError" not in page.text
    [record] = [record for record in caplog.records if record.message == "a page failed"]
    assert record.incident in page.text


async def test_what_is_not_there_is_told_as_a_page_to_people_and_as_json_to_programs(visit) -> None:
    for path in ("/tried/refuses", "/no/such/path"):
        page = await (await visit()).get(path)
        assert (page.status_code, "There is nothing here" in page.text) == (404, True)
    answer = await (await visit(Accept="application/json")).get("/no/such/path")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_shown_is_escaped(visit) -> None:
    page = await (await visit()).get("/tried", params={"say": "<script>alert(1)</script>"})
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_what_passes_through_a_translation_is_escaped_as_well() -> None:
    from charrua_web.rendering.quart_app import make_quart

    environment = make_quart(["charrua_web"], None).jinja_env
    given = {"said": "<b>50 % of 'it'", "name": "<i>"}
    shown = environment.from_string("{{ _(said) }} {{ _('To %(name)s', name=name) }} {{ _(\"can't\") }}").render(given)
    assert shown == "&lt;b&gt;50 % of &#39;it&#39; To &lt;i&gt; can&#39;t"


async def test_the_policy_of_pages_makes_no_exception_for_scripts(visit) -> None:
    for path in ("/tried", "/login", "/no/such/path", "/docs"):
        policy = (await (await visit(None if path == "/login" else "General")).get(path)).headers[
            "content-security-policy"
        ]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy


async def test_the_rail_has_what_one_may_see(visit) -> None:
    assert "Tried" in (await (await visit()).get("/tried")).text


async def test_a_chosen_language_and_theme_are_kept_by_cookies(visit) -> None:
    page = await (await visit(Cookie="charrua-language=pt; charrua-theme=light")).get("/tried")
    assert '<html lang="pt" data-theme="light">' in page.text
    assert '<html lang="es">' in (await (await visit(**{"Accept-Language": "es-UY,es;q=0.9"})).get("/tried")).text
    assert '<html lang="en">' in (await (await visit(**{"Accept-Language": "xx"})).get("/tried")).text


async def test_files_of_the_front_end_are_kept_for_ever_and_packed(visit) -> None:
    client = await visit(None)
    page = (await client.get("/login")).text
    script = page.split('<script type="module" src="')[1].split('"')[0]
    answer = await client.get(script, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert (await client.get(script, headers={"Accept-Encoding": "identity"})).text == answer.text
    assert (await client.get("/static/../__init__.py")).status_code == 404


async def test_a_browser_logs_in(serve_web, browser_at) -> None:
    served = await serve_web()
    name = await served.user("Radiologist")
    page = await browser_at(served, None)
    await page.goto("/login?next=/docs")
    await page.fill("input[name=name]", name)
    await page.fill("input[name=password]", "wrong")
    await page.click("button.primary")
    await page.wait_for_selector(".wrong:not([hidden])")
    await page.fill("input[name=password]", "an unlikely password")
    await page.click("button.primary")
    await page.wait_for_url("**/docs")
