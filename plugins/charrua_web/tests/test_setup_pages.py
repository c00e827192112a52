"""The pages of Set-up: shown to who may, each with what it is for."""

from __future__ import annotations

import httpx
import pytest

PAGES = {
    "/setup": "This archive",
    "/setup/troubles": "Nothing was refused",
    "/setup/settings": "dicom_aet",
    "/setup/peers": "No remote server is known yet",
    "/setup/storage": "Do index and files agree?",
    "/setup/certificates": "Certificates",
    "/setup/plugins": "CHARRUA_WITHOUT=web",
    "/setup/audit": "Audit trail",
}


async def looked_at(served, path: str, role: str = "Admin") -> httpx.Response:
    headers = {"Accept": "text/html", "Authorization": f"Bearer {await served.token(role)}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as client:
        return await client.get(path)


@pytest.mark.parametrize(("path", "text"), PAGES.items())
async def test_an_administrator_sees(serve_web, path: str, text: str) -> None:
    answer = await looked_at(await serve_web(), path)
    assert answer.status_code == 200, answer.text[-2000:]
    assert text in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_others_do_not(serve_web, path: str) -> None:
    assert (await looked_at(await serve_web(), path, "Manager")).status_code == 403
