"""Who calls in the access matrix: every role, row filters that mirror each other, visitors, and who proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import httpx

from charrua_core.accounts import ROLES
from charrua_core.app import App, Start
from charrua_core.testing.access import Caller, Study

PASSWORD = "an unlikely password"


async def make_callers(archive) -> list[Caller]:
    """Every role, row filters that mirror each other, and credentials that prove nothing."""
    async with App.opened(Start(archive.environment)) as app:

        async def bearer(name: str, role: str, sees: str = "", **token) -> Mapping[str, str]:
            row_filter = {"Modality": [sees]} if sees else None
            await app.accounts.add(name, role, PASSWORD, by="test", row_filter=row_filter)
            return {"Authorization": f"Bearer {await app.accounts.create_token(name, by='test', **token)}"}

        callers = [Caller(role, await bearer(f"any-{role}", role), ROLES[role]) for role in ROLES]
        for role, sees in (("Admin", "CR"), ("Admin", "MR"), ("Referring", "CR")):
            name = f"{role}-{sees}"
            callers.append(Caller(name, await bearer(name, role, sees), ROLES[role], sees))
        expired = await bearer("expired", "Admin", lifetime=timedelta(seconds=-1))
        revoked = await bearer("revoked", "Admin")
        await app.accounts.revoke_token(revoked["Authorization"].removeprefix("Bearer "), by="test")
        disabled = await bearer("disabled", "Admin")
        await app.accounts.change("disabled", by="test", disabled=True)
    wrong = {"Authorization": "Bearer nobody-has-this-one"}
    refused = {"nobody": {}, "wrong": wrong, "expired": expired, "revoked": revoked, "disabled": disabled}
    return [*callers, *(Caller(name, headers, known=False) for name, headers in refused.items())]


async def session_of(role: str, sees: str, archive) -> Caller:
    """A new user who has logged in by a browser."""
    async with App.opened(Start(archive.environment)) as app:
        await app.accounts.add("rosa", role, PASSWORD, by="test", row_filter={"Modality": [sees]})
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        answer = await client.post("/login", json={"name": "rosa", "password": PASSWORD})
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert answer.status_code == 200
    return Caller("session", {"Cookie": cookies, "Origin": archive.url}, ROLES[role], sees)


async def make_visitors(archive, studies: Mapping[str, Study]) -> list[Caller]:
    """Who came by a link to all studies that one who sees CR has made, and by the portal for one study."""
    token = await archive.token("Manager", {"Modality": ["CR"]})
    await archive.run("settings", "set", "patient_portal", "1")
    shared, own = frozenset({studies["CR"].uid, studies["BOTH"].uid}), studies["BOTH"]
    numbers = {"patient_id": own.patient_id, "accession_number": own.patient_id.replace("ID-", "ACC")}
    links = {}
    async with httpx.AsyncClient(
        base_url=archive.url, headers={"Authorization": f"Bearer {token}"}, verify=False
    ) as client:
        for name, dicom in (("link to DICOM", True), ("link to JPEG", False)):
            made = await client.post("/shares", json={"studies": [*shared], "dicom": dicom})
            links[name] = {"token": made.json()["link"].rpartition("/")[2]}
    view, fetch = frozenset({"view"}), frozenset({"view", "retrieve"})
    return [
        Caller("link to DICOM", await entered(archive, "/share", links["link to DICOM"]), fetch, "CR", only=shared),
        Caller("link to JPEG", await entered(archive, "/share", links["link to JPEG"]), view, "CR", only=shared),
        Caller("portal", await entered(archive, "/portal", numbers), view, only=frozenset({own.uid})),
    ]


async def entered(archive, door: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a browser that came by a door."""
    async with httpx.AsyncClient(base_url=archive.url, verify=False) as client:
        answer = await client.post(door, json=given)
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert answer.status_code == 200, answer.text
    return {"Cookie": cookies, "Origin": archive.url}
