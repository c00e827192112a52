"""The pages of rules, destinations and queue."""

from __future__ import annotations

import json
import re
from html import unescape

import httpx
import pytest

from charrua_core.testing.devices import Modality
from charrua_core.testing.objects import a_study
from charrua_routing.kinds import kinds
from charrua_routing.pages import words

HTML = {"Accept": "text/html"}
RULE = {
    "name": "Heads of the night",
    "destinations": ["NEURO", "GONE"],
    "when": {"modality": ["CT", "MR"], "study_description": ["<b>*HEAD*", "Thorax, p.a."]},
    "send_as": 5,
    "level": "study",
}
PAGES = ["/setup/routing", "/setup/routing/rule", "/setup/routing/try", "/setup/destinations", "/queue"]


@pytest.fixture
async def admin(browse, archive) -> httpx.AsyncClient:
    await archive.run("peer", "add", "NEURO", "127.0.0.1", "9")
    client = await browse("Admin")
    assert (await client.post("/routing/rules", json=RULE)).status_code == 201
    return client


OWN = {
    *words.OURS,
    *words.DAYS.values(),
    *words.MENDING.values(),
    *(word for word, _ in words.STATES.values()),
    "body part",
}
"""What these pages say of their own."""
SAME = {name for name in words.SYNTAX_NAMES.values() if "VR" in name}
"""Names of DICOM that are written in English everywhere."""


def english(page: str) -> list[str]:
    """What stands in a page in English, as the whole text of an element."""
    texts = {unescape(text).strip() for text in re.findall(r">([^<>]+)<", page)}
    return sorted((OWN - SAME) & texts)


async def shown(client: httpx.AsyncClient, path: str, **query: str) -> str:
    page = await client.get(path, params=query, headers=HTML)
    assert page.status_code == 200, page.text
    return page.text


async def test_rules_are_told_in_words_with_what_is_wrong(admin) -> None:
    page = await shown(admin, "/setup/routing")
    assert "Heads of the night" in page
    assert "CT, MR" in page
    assert "&lt;b&gt;*HEAD*, &#34;Thorax, p.a.&#34;" in page
    assert "JPEG 2000 Lossless" in page
    assert "There is no destination GONE" in page


@pytest.mark.parametrize("language", ["es", "pt"])
async def test_rules_and_destinations_have_no_english_word_for_who_reads_another_language(admin, language) -> None:
    rule = {**RULE, "delay_s": 60, "priors": {"count": 1}, "when": {"from": ["CT1"], "weekdays": ["mon", "sun"]}}
    await admin.post("/routing/rules", json=rule | {"name": "Days"})
    assert {"Mon", "JPEG Lossless", "single objects"} <= {*english(await shown(admin, "/setup/routing/rule"))}
    admin.headers["Accept-Language"] = language
    pages = [await shown(admin, path) for path in PAGES]
    pages.append(await shown(admin, "/setup/routing/rule", number="2"))
    assert [english(page) for page in pages] == [[]] * len(pages)
    assert {"es": "Lun, Dom", "pt": "Seg, Dom"}[language] in pages[0]
    summaries = [kind.help for kind in kinds()]
    assert not [one for one in summaries if one in pages[3]]


async def test_scripts_of_the_try_out_are_given_the_words_of_an_explanation(admin) -> None:
    admin.headers["Accept-Language"] = "es"
    page = await shown(admin, "/setup/routing/try")
    given = json.loads(unescape(re.search(r'data-words="([^"]*)"', page)[1]))
    assert given["modality"] == "Modalidad"
    assert given["it came from there"] == "vino de ahí"
    assert given.keys() == {*words.CONDITIONS, *words.KEPT_BY}


async def test_a_rule_is_shown_with_its_versions_and_what_was_removed_as_well(admin) -> None:
    await admin.put("/routing/rules/1", json={"version": 1, "rule": {**RULE, "order": 5}})
    page = await shown(admin, "/setup/routing/rule", number="1")
    assert 'data-version="2"' in page
    assert "/routing/rules/1/versions/1/restore" in page
    await admin.delete("/routing/rules/1?version=2")
    assert "This rule was removed" in await shown(admin, "/setup/routing/rule", number="1")
    assert (await admin.get("/setup/routing/rule?number=99", headers=HTML)).status_code == 404
    assert (await admin.get("/setup/routing/rule?number=x", headers=HTML)).status_code == 404


async def test_a_stored_study_is_tried_and_one_that_is_not_seen_is_not_there(admin, browse, modality: Modality) -> None:
    study = a_study(Modality="CT", StudyDescription="KNEE", PatientName="DOE^JANE")
    await modality.give(study)
    uid = study[0].StudyInstanceUID
    page = await shown(admin, "/setup/routing/try", study=uid)
    assert "DOE, JANE" in page
    assert 'class="fails"' in page
    assert "has KNEE" in page
    other = await browse("Admin", {"Modality": ["MR"]})
    assert "DOE, JANE" not in await shown(other, "/setup/routing/try")
    assert (await other.get("/setup/routing/try", params={"study": uid}, headers=HTML)).status_code == 404


async def test_an_object_that_is_only_thought_of_is_explained(admin) -> None:
    attributes = {"Modality": "CT", "StudyDescription": "<b>HEAD", "PatientName": "DOE^JANE"}
    told = (await admin.post("/routing/explain", json={"attributes": attributes, "from": "NEURO"})).json()
    assert told["rules"][0]["state"] == "took it"
    assert told["destinations"][0] | {"kept_by": "it came from there"} == told["destinations"][0]
    wrong = await admin.post("/routing/explain", json={"attributes": {"NoSuchThing": "x"}})
    assert (wrong.status_code, "NoSuchThing" in wrong.json()["detail"]) == (400, True)


async def test_the_queue_says_what_failed_why_and_what_to_do(admin, browse, modality: Modality) -> None:
    study = a_study(Modality="MR", StudyDescription="KNEE", PatientName="DOE^JANE")
    await modality.give(study)
    body = {"AET": "NEURO", "StudyInstanceUID": study[0].StudyInstanceUID, "PatientName": "DOE^JANE"}
    await admin.post("/routingqueue", json=body)
    await wait_for(admin, "Tries again")
    page = await shown(admin, "/queue", view="failed")
    assert "DOE, JANE" in page
    assert "Is it on, are address and port right" in page
    assert (await admin.get("/routing/queue/failed")).json() == {"count": 0}  # it is tried again by itself
    assert "Nothing was sent yet" in await shown(admin, "/queue", view="done")
    admin.headers["Accept-Language"] = "es"
    page = await shown(admin, "/queue", view="failed")
    assert "Se reintenta" in page
    assert "¿Está encendido, son correctos la dirección y el puerto" in page
    assert english(page) == []

    other = await browse("Manager", {"Modality": ["MR"]})
    assert "DOE, JANE" not in await shown(other, "/queue")  # what others have sent
    assert (await other.get("/queue?view=all", headers=HTML)).status_code == 400


async def wait_for(client: httpx.AsyncClient, words: str) -> None:
    from charrua_core.testing.waiting import until

    async def there() -> bool:
        return words in await shown(client, "/queue")

    await until(there)


async def test_a_secret_of_a_destination_is_never_on_its_page(admin) -> None:
    options = {"url": "https://pacs.example/dicom-web", "token": "very secret"}
    await admin.put("/routing/destinations/WEB", json={"kind": "stow", "options": options})
    page = await shown(admin, "/setup/destinations/destination", name="WEB")
    assert "https://pacs.example/dicom-web" in page
    assert "very secret" not in page
    assert (await admin.get("/setup/destinations/destination?name=NO", headers=HTML)).status_code == 404


async def test_pages_are_for_who_may(browse) -> None:
    radiologist, general = await browse("Radiologist"), await browse("General")
    statuses = [(await radiologist.get(path, headers=HTML)).status_code for path in PAGES]
    assert statuses == [403, 403, 403, 403, 200]
    assert (await general.get("/queue", headers=HTML)).status_code == 403


@pytest.mark.parametrize(
    ("last_error", "said", "mend"),
    [
        ("PeerUnreachable: connection refused", "Connection refused.", "It cannot be reached."),
        ("SendFailed: a.example: [Errno -2] Name not known", "a.example: Name not known.", ""),
        ("DestinationUnknown: no peer is named X: charrua peer add", "", "There is no such destination."),
        ("its worker died", "Its worker died.", ""),
    ],
)
def test_a_failure_is_told_in_words_with_what_to_do(last_error: str, said: str, mend: str) -> None:
    told = words.failure(last_error)
    assert told[0] == said
    assert told[1].startswith(mend)
