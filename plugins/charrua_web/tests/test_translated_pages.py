"""Texts that Python gives to pages are in the reader's language, as those of the templates are."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from charrua_core.accounts import VIEWING_SYNTAXES
from charrua_core.archive.search import filterable
from charrua_core.testing.objects import a_study
from charrua_web.entrance import WHY
from charrua_web.people.pages import TRANSLATED, WHAT_ROLES_MAY, keyword_in_words
from charrua_web.rendering import words
from charrua_web.studies.pages import FIELDS, MORE_FIELDS
from charrua_web.studies.rows import COLUMNS

SAME = {"ID", "Mod.", "Series", "Study Instance UID", "Series Instance UID"}
"""What is the same in Spanish and in English."""
NAMES = {one for one in VIEWING_SYNTAXES.values() if "VR" in one}
"""Names of DICOM that are written in English everywhere."""
LABELS = [*(one.label for one in COLUMNS), *(label for _, label in (*FIELDS, *MORE_FIELDS))]
STATES = ["Active", "Disabled", "Must change password"]
PEOPLE = [*WHAT_ROLES_MAY.values(), *VIEWING_SYNTAXES.values(), *map(keyword_in_words, filterable()), *STATES]


def found(page: str, english: Iterable[str]) -> list[str]:
    """What stands in a page in English: as the whole text of an element, or as a text of what scripts are given."""
    page = re.sub(r'<script[^>]* id="words">.*?</script>', "", page, flags=re.DOTALL)
    texts = {text.strip() for text in re.findall(r">([^<>]+)<", page.replace("&#39;", "'"))}
    return [one for one in {*english} - SAME - NAMES if one in texts or f'"label": "{one}"' in page]


@pytest.fixture
async def pages(serve_web):
    """A function that gives a page in a language, of an archive with a study and people."""
    served = await serve_web()
    await served.give(*a_study(Modality="CT", StudyDescription="RODILLA"))
    limited = await served.user("Radiologist", {"Modality": ["CR"], "InstitutionName": ["NORTE*"]})
    client = await served.client("Admin")

    async def shown(path: str, language: str) -> str:
        answer = await client.get(
            path.format(user=limited), headers={"Accept": "text/html", "Accept-Language": language}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    yield shown
    await client.aclose()


@pytest.mark.parametrize("language", ["es", "pt"])
async def test_pages_of_people_have_no_english_label(pages, language: str) -> None:
    for path in ("/setup/people", "/setup/people/user", "/setup/people/user?name={user}", "/me"):
        assert found(await pages(path, language), PEOPLE) == [], path
    assert found(await pages("/setup/people/user", "en"), PEOPLE), "the English page has them"
    assert not [why for name, why in WHY.items() if why in await pages(f"/login?why={name}", language)]


async def test_the_study_list_has_no_english_label_for_who_reads_and_for_scripts(pages) -> None:
    asked = "/studies?" + "&".join(f"{name}=1" for name, _ in MORE_FIELDS[:15])
    assert found(await pages(asked, "es"), LABELS) == []
    page = await pages("/studies", "es")
    assert '"label": "Paciente"' in page
    assert '"label": "N.\\u00ba de acceso"' in page
    assert "Resumen" in await pages("/setup", "es")
    assert {"Patient", "Accession"} <= {*found(await pages("/studies", "en"), LABELS)}


async def test_a_filter_is_told_in_the_readers_language(pages) -> None:
    assert "Modalidad: CR · Institución: NORTE*" in await pages("/setup/people", "es")


def test_what_the_core_and_dicom_call_things_is_translated() -> None:
    assert {*VIEWING_SYNTAXES.values(), *map(keyword_in_words, filterable())} <= TRANSLATED
    known = words.words_of("es", ("charrua_web",))
    assert known.gettext("JPEG 2000 Lossy") == "JPEG 2000 con pérdida"
