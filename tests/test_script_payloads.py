"""What comes from outside is shown as text: 200 attempts at a script, in every field that a page shows, run nowhere.

The pages come from the table of routes, so that a new page is among them.
"""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydicom.dataset import Dataset

from charrua_core.app import App, Start
from charrua_core.testing.daily import is_todays
from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import an_object
from charrua_web.catalogue import make_table
from charrua_web.rendering.pages import is_page

CALLS = ("ran()", "alert(1)", "top.ran()", "self['ran']()", "setTimeout('ran()')")
FORMS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg/onload={}//",
    '"><img src=x onerror={}>',
    "'><svg onload={}>",
    "</title><svg onload={}>",
    "</textarea><svg onload={}>",
    "</script><svg onload={}>",
    '" onfocus={} autofocus x="',
    "' onmouseover={} x='",
    '" onpointerenter={} "',
    "<a href=javascript:{}>x</a>",
    "<iframe src=javascript:{}>",
    "<iframe srcdoc='<svg onload={}>'>",
    "<body onload={}>",
    "<details open ontoggle={}>",
    "<video><source onerror={}>",
    "<input autofocus onfocus={}>",
    "<marquee onstart={}>",
    "<math><mtext><img src=x onerror={}>",
    "<object data=javascript:{}>",
    "<form action=javascript:{}><button>",
    "javascript:{}",
    "{{{{constructor.constructor('{}')()}}}}",
    "${{{}}}",
    "{{% {} %}}",
    "<!--><svg onload={}>-->",
    "&lt;svg onload={}&gt;",
    "<style>@import 'javascript:{}'</style>",
    "<base href=javascript:{}//>",
    "<link rel=stylesheet href=javascript:{}>",
    "<meta http-equiv=refresh content='0;javascript:{}'>",
    "<template><svg onload={}></template>",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "%0a<svg onload={}>",
    "<x contenteditable onblur={} tabindex=1 autofocus>",
    "<isindex type=image src=1 onerror={}>",
    "]]><svg onload={}>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
)
PAYLOADS = [form.format(call) for form, call in itertools.product(FORMS, CALLS)]
WATCH = """
window.ranTimes = 0;
for (const name of ["ran", "alert", "confirm", "prompt"]) window[name] = () => { window.ranTimes++; };
window.stopped = [];
document.addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective.startsWith("script-src")) window.stopped.push(event.blockedURI + " " + event.sample);
});
"""
STUDIES_ON_A_PAGE = 12
"""How many of the 200 studies are opened one by one: each field of a study has another payload in each of them."""


def a_study_of(number: int) -> Dataset:
    """An object in whose every displayed attribute there is a payload, another one in each."""
    payload = itertools.islice(itertools.cycle(PAYLOADS), number, None, 7)
    return an_object(
        StudyInstanceUID=f"1.2.840.99.7.{number + 1}",
        SeriesInstanceUID=f"1.2.840.99.7.{number + 1}.1",
        SOPInstanceUID=f"1.2.840.99.7.{number + 1}.1.1",
        SpecificCharacterSet="ISO_IR 192",
        StudyDate="20261123",
        Modality="CT",
        PatientName=next(payload)[:64],
        PatientID=f"{number} {next(payload)}"[:64],
        AccessionNumber=f"{number}{next(payload)}"[:16],
        StudyID=next(payload)[:16],
        StudyDescription=next(payload)[:64],
        ReferringPhysicianName=next(payload)[:64],
        InstitutionName=next(payload)[:64],
        StationName=next(payload)[:16],
        SeriesDescription=next(payload)[:64],
        BodyPartExamined=next(payload)[:16],
        ProtocolName=next(payload)[:64],
        ManufacturerModelName=next(payload)[:64],
        ImageComments=next(payload),
        PatientComments=next(payload),
    )


async def fill(archive: Any, client: httpx.AsyncClient) -> None:
    """Put payloads where people and devices can put words."""
    async with App.opened(Start(archive.environment)) as app:
        for number, payload in enumerate(PAYLOADS[::12]):
            name = payload.replace("/", "|")[:60] + str(number)
            words = {"Modality": [payload[:60]]}
            await app.accounts.add(name, "General", "an unlikely password", by="test", row_filter=words)
            await app.accounts.change(name, by="test", full_name=payload)
            await app.accounts.create_token(name, by="test")
    for number, payload in enumerate(PAYLOADS[::5]):
        peer = {"host": payload.replace(" ", "/"), "port": 104}
        rule = {"name": f"{payload} {number}", "destinations": [f"<b>{number}"], "when": {"study_description": payload}}
        link = {"studies": ["1.2.840.99.7.1"], "label": payload}
        answers = [
            await client.put(f"/peers/{quote(f'<svg{number}>')}", json=peer),
            await client.post("/routing/rules", json=rule),
            await client.post("/shares", json=link),
        ]
        assert [answer.status_code for answer in answers] == [201, 201, 201], [one.text for one in answers]
        await client.post("/login", json={"name": payload, "password": payload}, headers={"User-Agent": payload})
    searches = [{"name": payload[:60], "query": f"PatientName={payload}"} for payload in PAYLOADS[:40]]
    assert (await client.put("/preferences/studies.searches", json=searches)).status_code < 300
    for payload in PAYLOADS[::12]:
        await Modality(archive.peer, aet=payload[:16].replace("\\", "|")).echo()


def pages() -> list[str]:
    """The paths of today's half of the pages, of those with a study the one of the first."""
    table, _ = make_table(App(Start({"CHARRUA_WITHOUT": ""}), (), {}))
    paths = [route.path for route in table.routes if is_page(route) and is_todays(route.path, parts=2)]
    return [path.replace("{study}", "1.2.840.99.7.1").replace("{token}", "<svg onload=ran()>") for path in paths]


async def ran(page: Any) -> list[str]:
    """What ran, or would have run but for the policy."""
    faults: list[str] = []
    for frame in page.frames:
        times, stopped = await frame.evaluate("() => [window.ranTimes ?? 0, window.stopped ?? []]")
        faults += [f"{frame.url}: {times} times"] if times else []
        faults += [f"{frame.url}: only its policy stopped {one}" for one in stopped]
    return faults


async def look(page: Any, path: str) -> list[str]:
    """Open a page, hover and focus what is on it; give what ran."""
    await page.goto(path)
    await page.wait_for_load_state("load")
    await page.wait_for_timeout(400)
    await page.evaluate(
        """() => { for (const one of [...document.querySelectorAll('a, button, input, summary, tr')].slice(0, 300)) {
          one.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})); one.focus(); } }"""
    )
    return await ran(page)


async def test_no_payload_runs_on_any_page(archive, modality, browse, open_browser) -> None:
    assert len(set(PAYLOADS)) == 200
    await modality.give([a_study_of(number) for number in range(len(PAYLOADS))])
    await fill(archive, await browse())
    page = await open_browser("Admin")
    await page.add_init_script(WATCH)
    faults: list[str] = []
    for path in pages():
        faults += await look(page, path)
    for number in range(0, len(PAYLOADS), len(PAYLOADS) // STUDIES_ON_A_PAGE):
        faults += await look(page, f"/studies/1.2.840.99.7.{number + 1}")
    await page.goto("/studies")
    rows = page.locator("tbody tr")
    for number in range(0, min(100, await rows.count()), 5):  # the pane beside the list
        await rows.nth(number).locator("td").nth(2).click()
        await page.wait_for_timeout(100)
    faults += await ran(page)
    assert faults == []


@pytest.mark.parametrize("payload", [PAYLOADS[0], PAYLOADS[5], PAYLOADS[45]])
async def test_a_payload_that_is_shown_as_markup_would_be_noticed(archive, open_browser, payload: str) -> None:
    page = await open_browser("General")
    await page.add_init_script(WATCH)
    await page.goto("/studies")
    await page.evaluate(
        "(payload) => { document.querySelector('main').insertAdjacentHTML('beforeend', payload); }", payload
    )
    await page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'ran()'; document.body.append(one); }"
    )
    await page.wait_for_timeout(300)
    assert await ran(page) != []
    page.faults.clear()
