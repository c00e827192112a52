"""The routing plugin in a running archive, between a modality and a workstation (fixtures of charrua_core.testing)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from charrua_core.testing.devices import Modality, Workstation
from charrua_core.testing.objects import a_study
from charrua_core.testing.running import Archive

Browse = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.mark.settings(modality_routes="CT=WORKSTATION MR=NEURO")
async def test_an_object_goes_to_the_workstation_of_its_modality(
    archive: Archive, modality: Modality, workstation: Workstation
) -> None:
    thorax = a_study(images=2, Modality="CT")
    await modality.give(thorax, a_study(Modality="PT"))
    await archive.settled()
    assert {one.sop_instance_uid for one in workstation.received} == {image.SOPInstanceUID for image in thorax}


async def test_nothing_is_sent_without_a_route(archive: Archive, modality: Modality, workstation: Workstation) -> None:
    await modality.give(a_study(Modality="CT"))
    await archive.settled()
    assert workstation.received == []


@pytest.mark.settings(modality_routes="CT=WORKSTATION")
async def test_the_page_shows_the_routes_to_administrators(archive: Archive, browse: Browse) -> None:
    page = await (await browse("Admin")).get("/setup/modality-routes")
    assert "WORKSTATION" in page.text
    assert (await (await browse("Referring")).get("/setup/modality-routes")).status_code == 403
