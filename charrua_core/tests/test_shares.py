"""Links for people outside: what they show, for how long, and that nothing else is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from charrua_core import audit, shares, tables
from charrua_core.accounts import ROLES
from charrua_core.app import App
from charrua_core.archive.search import Query, search
from charrua_core.errors import NotPermitted, ShareInvalid, ShareNotFound, StudyNotFound
from charrua_core.shares import Wish
from charrua_core.testing.objects import an_object
from charrua_core.types import Identity, Level, Origin, RowFilter

HERE = Origin("web", address="10.0.0.8")
PASSWORD = "an unlikely password"
ALIKE = "This link does not work"


@pytest.fixture
async def app(open_archive, intake) -> App:
    return intake.app


async def a_study(intake: Any, **attributes: Any) -> str:
    told = {"PatientID": "4711", "AccessionNumber": "A1", "PatientBirthDate": "19610412", "Modality": "CR"}
    image = an_object(**{**told, **attributes})
    await intake(image)
    return str(image.StudyInstanceUID)


async def doctor(app: App, name: str = "ana", role: str = "Radiologist", **filters: Sequence[str]) -> Identity:
    await app.accounts.add(name, role, PASSWORD, by="test", row_filter=filters or None)
    identity = await app.accounts.identity(name)
    assert identity is not None
    return identity


async def a_link(app: App, identity: Identity, *uids: str, **wish: Any) -> str:
    token, _ = await shares.make(app, Wish(uids, **wish), identity, HERE)
    return token


async def opened(app: App, token: str, birth_date: str = "", origin: Origin = HERE) -> Identity | None:
    session, _ = await shares.open_share(app, token, birth_date, origin, agent="a browser")
    return await app.accounts.sessions.identity(session)


async def seen_by(app: App, identity: Identity) -> set[str]:
    query = Query(Level.STUDY, return_keys=frozenset({"0020000D"}))
    return {one.attributes["0020000D"]["Value"][0] async for one in search(app, query, identity)}


async def test_a_link_shows_its_studies_and_no_other(app, intake) -> None:
    first, second, other = [await a_study(intake) for _ in range(3)]
    visitor = await opened(app, await a_link(app, await doctor(app), first, second))
    assert visitor is not None and other
    assert await seen_by(app, visitor) == {first, second}
    assert (visitor.roles, visitor.permissions) == ({"Visitor"}, {"view"})


async def test_a_link_gives_dicom_where_that_is_wanted(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake), dicom=True)
    visitor = await opened(app, token)
    assert visitor is not None and visitor.permissions == {"view", "retrieve"}


async def test_the_database_has_no_token(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake))
    async with app.db.reading() as connection:
        row = (await connection.execute(select(tables.share))).one()
    assert token not in repr(row)


@pytest.mark.parametrize(
    ("validity", "days"), [("1 day", 1), ("2 days", 2), ("30 days", 30), (None, 1)], ids=["1", "2", "30", "setting"]
)
async def test_a_link_lasts_as_long_as_was_chosen(app, intake, validity, days) -> None:
    _, made = await shares.make(app, Wish([await a_study(intake)], validity), await doctor(app), HERE)
    assert made.expires_at - made.made_at == pytest.approx(timedelta(days=days), abs=timedelta(seconds=10))


async def test_a_link_for_ever_takes_a_setting(app, intake) -> None:
    ana, uid = await doctor(app), await a_study(intake)
    with pytest.raises(ShareInvalid, match="allow_unlimited_links"):
        await a_link(app, ana, uid, validity="for ever")
    await app.change_setting("allow_unlimited_links", True, by="test")
    assert await opened(app, await a_link(app, ana, uid, validity="for ever"))


@pytest.mark.parametrize(
    "wish",
    [{"validity": "a week"}, {"uses": 0}, {"uses": 1001}, {"label": "x" * 201}, {"label": "a\0b"}],
    ids=["validity", "no use", "uses", "label", "NUL"],
)
async def test_a_wish_that_will_not_do_is_refused(app, intake, wish) -> None:
    with pytest.raises(ShareInvalid):
        await a_link(app, await doctor(app), await a_study(intake), **wish)


async def test_nobody_shares_what_they_do_not_see(app, intake) -> None:
    ana, hidden = await doctor(app, Modality=["MR"]), await a_study(intake)
    for uids in ([hidden], ["1.2.3"], ["no\0uid"]):
        with pytest.raises(StudyNotFound):
            await a_link(app, ana, *uids)


async def test_neither_a_visitor_nor_who_may_not_share_makes_links(app, intake) -> None:
    uid = await a_study(intake)
    visitor = await opened(app, await a_link(app, await doctor(app), uid, dicom=True))
    assert visitor is not None
    for identity in (visitor, await doctor(app, "otto", "Referring")):
        with pytest.raises(NotPermitted):
            await a_link(app, identity, uid)


# -- who made it ---------------------------------------------------------------------------------------------------------
async def test_a_link_shows_no_more_than_its_maker_may_see(app, intake) -> None:
    image = an_object(Modality="CR")
    await intake(image)
    await intake(an_object(Modality="MR", StudyInstanceUID=image.StudyInstanceUID))
    visitor = await opened(app, await a_link(app, await doctor(app, Modality=["CR"]), str(image.StudyInstanceUID)))
    assert visitor is not None and RowFilter({"Modality": ("CR",)}) in visitor.row_filters
    await app.accounts.change("ana", by="test", row_filter=None)
    assert RowFilter({"Modality": ("CR",)}) in visitor.row_filters


async def test_what_its_maker_may_not_see_any_more_a_link_does_not_show(app, intake) -> None:
    uid = await a_study(intake)
    token = await a_link(app, await doctor(app), uid)
    session, _ = await shares.open_share(app, token, "", HERE, agent="")
    await app.accounts.change("ana", by="test", row_filter={"Modality": ["MR"]})
    visitor = await app.accounts.sessions.identity(session)
    assert visitor is not None and await seen_by(app, visitor) == set()
    with pytest.raises(ShareNotFound, match=ALIKE):
        await opened(app, token)


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "Referring"}], ids=["disabled", "role"])
async def test_a_link_ends_with_its_makers_right_to_share(app, intake, change) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake))
    session, _ = await shares.open_share(app, token, "", HERE, agent="")
    await app.accounts.change("ana", by="test", **change)
    assert await app.accounts.sessions.identity(session) is None
    with pytest.raises(ShareNotFound, match=ALIKE):
        await opened(app, token)


async def test_a_link_ends_with_its_makers_account(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake))
    session, _ = await shares.open_share(app, token, "", HERE, agent="")
    await app.accounts.remove("ana", by="test")
    await doctor(app)
    assert await app.accounts.sessions.identity(session) is None
    with pytest.raises(ShareNotFound):
        await opened(app, token)


async def test_who_has_no_account_shares_what_a_provider_let_them_see(app, intake) -> None:
    uid, hidden = await a_study(intake), await a_study(intake, Modality="MR")
    vouched = Identity("bea", "user", frozenset({"Manager"}), ROLES["Manager"], (RowFilter({"Modality": ("CR",)}),))
    visitor = await opened(app, await a_link(app, vouched, uid))
    assert visitor is not None and await seen_by(app, visitor) == {uid}
    with pytest.raises(StudyNotFound):
        await a_link(app, vouched, hidden)


# -- how it ends ---------------------------------------------------------------------------------------------------------
async def expire(app: App) -> None:
    async with app.db.transaction() as tx:
        await tx.execute(update(tables.share).values(expires_at=text("now()")))


async def test_links_that_do_not_work_are_answered_alike(app, intake) -> None:
    ana, uid = await doctor(app), await a_study(intake)
    tokens = [await a_link(app, ana, uid) for _ in range(2)]
    await expire(app)
    revoked, used_up = await a_link(app, ana, uid), await a_link(app, ana, uid, uses=1)
    newest = [one for one in await shares.listed(app, ana) if one.uses_allowed is None]
    await shares.revoke(app, newest[0].id, ana, HERE)
    await opened(app, used_up)
    told = set()
    for token in (*tokens, revoked, used_up, "never made", "", "\0", "ü" * 43):
        with pytest.raises(ShareNotFound) as refused:
            await opened(app, token)
        told.add((str(refused.value), refused.value.http_status))
    assert len(told) == 1


async def test_a_session_ends_when_its_link_expires(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake))
    session, _ = await shares.open_share(app, token, "", HERE, agent="")
    await expire(app)
    assert await app.accounts.sessions.identity(session) is None


async def test_a_session_ends_when_its_link_is_revoked_and_the_link_can_be_had_back(app, intake) -> None:
    ana = await doctor(app)
    token = await a_link(app, ana, await a_study(intake))
    session, _ = await shares.open_share(app, token, "", HERE, agent="")
    link = (await shares.listed(app, ana))[0].id
    await shares.revoke(app, link, ana, HERE)
    assert await app.accounts.sessions.identity(session) is None
    await shares.restore(app, link, ana, HERE)
    assert await app.accounts.sessions.identity(session) is None
    assert await opened(app, token)
    with pytest.raises(ShareNotFound):
        await shares.restore(app, link, ana, HERE)


async def test_of_two_who_come_for_the_last_use_one_gets_it(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake), uses=1)
    came = await asyncio.gather(*(opened(app, token) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, Identity) for one in came) == 1
    assert sum(isinstance(one, ShareNotFound) for one in came) == 3


# -- the date of birth, and guesses --------------------------------------------------------------------------------------
async def test_a_link_may_ask_for_the_date_of_birth(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake), asks_birth_date=True)
    assert (await shares.asked(app, token, HERE)).birth_date
    with pytest.raises(NotPermitted, match="date of birth"):
        await opened(app, token, "19610413")
    assert await opened(app, token, "19610412")


async def test_dates_of_birth_are_not_guessed(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake), asks_birth_date=True)
    guesses = (opened(app, token, f"1961{day:04}", Origin("web", address=f"10.0.1.{day}")) for day in range(40))
    refused = await asyncio.gather(*guesses, return_exceptions=True)
    statuses = [getattr(one, "http_status", 0) for one in refused]
    assert statuses.count(403) <= 7
    assert set(statuses) == {403, 429}
    with pytest.raises(NotPermitted) as waits:
        await opened(app, token, "19610412")
    assert waits.value.http_status == 429 and waits.value.retry_after_s


async def test_a_date_of_birth_that_is_not_there_is_not_asked(app, intake) -> None:
    with pytest.raises(ShareInvalid, match="date of birth"):
        await a_link(app, await doctor(app), await a_study(intake, PatientBirthDate=""), asks_birth_date=True)


async def test_who_tries_many_links_waits_and_who_has_one_does_not(app, intake) -> None:
    token = await a_link(app, await doctor(app), await a_study(intake))
    statuses = []
    for number in range(60):
        with pytest.raises((ShareNotFound, NotPermitted)) as refused:
            await shares.asked(app, f"guess {number}", HERE)
        statuses.append(refused.value.http_status)
    assert set(statuses) == {404, 429}
    assert await opened(app, token)
    assert await app.accounts.log_in(
        {"scheme": "password", "name": "ana", "password": PASSWORD, "address": HERE.address}, app.accounts.local
    )


# -- who looks after it --------------------------------------------------------------------------------------------------
async def test_everybody_lists_and_revokes_their_own_links_an_administrator_all(app, intake) -> None:
    uid = await a_study(intake)
    ana, otto, eva = await doctor(app), await doctor(app, "otto"), await doctor(app, "eva", "Admin")
    await a_link(app, ana, uid, label="Dr. Costa")
    assert await shares.listed(app, otto) == []
    (link,) = await shares.listed(app, eva, study_uid=uid)
    assert (link.label, link.made_by, link.state, link.uses) == ("Dr. Costa", "ana", "works", 0)
    with pytest.raises(ShareNotFound):
        await shares.revoke(app, link.id, otto, HERE)
    with pytest.raises(ShareNotFound):
        await shares.revoke(app, "no id", eva, HERE)
    await shares.revoke(app, link.id, eva, HERE)
    assert [one.state for one in await shares.listed(app, ana)] == ["revoked"]


async def test_an_administrator_is_not_told_of_links_to_what_they_do_not_see(app, intake) -> None:
    uid = await a_study(intake)
    ana, eva = await doctor(app), await doctor(app, "eva", "Admin", Modality=["MR"])
    await a_link(app, ana, uid)
    assert await shares.listed(app, eva) == []


async def test_all_that_becomes_of_a_link_is_in_the_audit_trail(app, intake) -> None:
    ana, uid = await doctor(app), await a_study(intake)
    token = await a_link(app, ana, uid, asks_birth_date=True)
    with pytest.raises(NotPermitted):
        await opened(app, token, "19000101")
    await opened(app, token, "19610412")
    await shares.revoke(app, (await shares.listed(app, ana))[0].id, ana, HERE)
    trail = [one for one in await audit.read(app.db) if one["study_uids"] == [uid]]
    told = [(one["event"], one["action"], one["succeeded"], one["who"] == "ana") for one in reversed(trail)]
    assert told[-4:] == [
        ("110113", "C", True, True),
        ("110114", "E", False, False),
        ("110114", "E", True, False),
        ("110113", "D", True, True),
    ]
    assert "19610412" not in repr(trail) and token not in repr(trail)
