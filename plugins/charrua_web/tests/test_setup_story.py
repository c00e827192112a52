"""An administrator at a browser: changes a setting, adds a remote server that answers, mends a refusal with one click."""

from __future__ import annotations

import asyncio
import socket

import pytest

from charrua_core.dicom import PeerRejected
from charrua_core.testing.devices import Modality
from charrua_core.testing.outside import program
from charrua_core.types import Peer


async def a_receiver(folder) -> tuple[asyncio.subprocess.Process, int]:
    """DCMTK's storescp, which this archive does not know."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (str(program("storescp")), "-aet", "WS1", "-od", str(folder), str(port))
    return await asyncio.create_subprocess_exec(*command), port


async def test_an_administrator_sets_the_archive_up(archive, open_browser, tmp_path) -> None:
    if program("storescp") is None:
        pytest.skip("DCMTK is not installed")
    page = await open_browser("Admin")
    await changes_a_setting_and_takes_it_back(page)
    process, port = await a_receiver(tmp_path)
    try:
        await adds_a_remote_server_that_answers(page, port)
    finally:
        process.terminate()
        await process.wait()
    await mends_a_refusal_with_one_click(page, archive)
    assert page.faults == []


async def changes_a_setting_and_takes_it_back(page) -> None:
    await page.goto("/setup/settings")
    await page.fill("#find", "query_results")
    row = page.locator("#setting-query_results")
    assert await page.locator(".setting:visible").count() >= 1
    await row.locator("[name=value]").fill("many")
    await row.locator("button.primary").click()
    await row.locator(".wrong", has_text="whole number").wait_for()
    await row.locator("[name=value]").fill("1234")
    await row.locator("[name=value]").press("Enter")
    await row.get_by_text("Set here by").wait_for()
    await page.get_by_role("button", name="Undo").click()
    await row.get_by_text("Default.").wait_for()


async def adds_a_remote_server_that_answers(page, port: int) -> None:
    await page.goto("/setup/peers")
    await page.get_by_role("button", name="Add the first one").click()
    dialog = page.locator("dialog")
    await dialog.locator("[name=aet]").fill("WS1")
    await dialog.locator("[name=host]").fill("127.0.0.1")
    await dialog.locator("[name=port]").fill(str(port))
    await dialog.locator("[name=character_set]").fill("\\ISO 2022 IR 87")
    await dialog.get_by_role("button", name="Test").click()
    await dialog.get_by_text(f"WS1 at 127.0.0.1:{port} answers in").wait_for()
    assert await dialog.locator(".takes .yes").all_inner_texts() != []
    await dialog.get_by_role("button", name="Save").click()
    await page.locator("tr", has_text=f"127.0.0.1:{port}").get_by_text("ISO 2022 IR 87").wait_for()


async def mends_a_refusal_with_one_click(page, archive) -> None:
    ct2 = Modality(Peer("PACS1", archive.peer.host, archive.peer.port), aet="CT2")
    with pytest.raises(PeerRejected):
        await ct2.echo()
    sentence = "CT2 (127.0.0.1) called PACS1; this archive is CHARRUA."
    for _ in range(20):
        await page.goto("/setup/troubles")
        if await page.get_by_text(sentence).count():
            break
        await asyncio.sleep(0.2)
    await page.get_by_role("button", name="Take PACS1 as a name").click()
    await page.locator(".seen", has_text=sentence).wait_for()
    assert await ct2.echo() == 0
