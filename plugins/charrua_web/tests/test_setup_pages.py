"""The pages of Set-up: shown to who may, each with what it is for."""

from __future__ import annotations

import httpx

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


async def looked_at(served, role: str) -> dict[str, httpx.Response]:
    headers = {"Accept": "text/html", "Authorization": f"Bearer {await served.token(role)}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=20, verify=False) as client:
        return {path: await client.get(path) for path in PAGES}


async def test_administrators_see_them_and_others_do_not(serve_web) -> None:
    served = await serve_web()
    for path, answer in (await looked_at(served, "Admin")).items():
        assert answer.status_code == 200, path
        assert PAGES[path] in answer.text, path
    assert {answer.status_code for answer in (await looked_at(served, "Manager")).values()} == {403}
