"""Accounts: who may log in, with what rights, and how guessing is slowed down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, text

from charrua_core import audit, tables
from charrua_core.accounts import ROLES, Accounts, id_of, passwords
from charrua_core.db import Database
from charrua_core.errors import EditInvalid, NotPermitted, UserNotFound
from charrua_core.settings import Settings
from charrua_core.settings.core import SETTINGS
from charrua_core.types import Identity, Origin, RowFilter

PASSWORD = "correct horse battery"


@pytest.fixture
async def accounts(db: Database) -> Accounts:
    return Accounts(db, Settings.load(SETTINGS, {}, {}))


async def log_in(accounts: Accounts, name: str, password: str, address: str = "10.0.0.8") -> Identity:
    credentials: Mapping[str, Any] = {"scheme": "password", "name": name, "password": password, "address": address}
    return await accounts.log_in(credentials, accounts.local)


async def refusal(accounts: Accounts, name: str, password: str, address: str = "10.0.0.8") -> int:
    with pytest.raises(NotPermitted) as refused:
        await log_in(accounts, name, password, address)
    return refused.value.http_status


async def test_admin_admin_works_on_the_machine_alone_and_only_to_change_the_password(accounts: Accounts) -> None:
    assert await refusal(accounts, "admin", "admin") == 403
    identity = await log_in(accounts, "admin", "admin", "127.0.0.1")
    assert identity.permissions == {"change_password"}
    await accounts.set_password("admin", PASSWORD, by="admin")
    assert (await log_in(accounts, "admin", PASSWORD)).permissions == ROLES["Admin"]


async def test_the_first_account_is_made_once(accounts: Accounts) -> None:
    await accounts.add("ana", "Admin", PASSWORD, by="test")
    await accounts.remove("admin", by="test")
    assert not await accounts.prepare()
    assert [account.name for account in await accounts.all()] == ["ana"]


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("Admin", {"configure", "manage_users", "edit", "delete", "report", "print"}, set()),
        ("Manager", {"edit", "delete", "print"}, {"configure", "manage_users", "report"}),
        ("Radiologist", {"report", "print", "read_preliminary"}, {"configure", "edit", "delete"}),
        ("Referring", {"query", "retrieve"}, {"report", "edit", "delete", "print", "store", "read_preliminary"}),
        ("General", {"query", "retrieve"}, {"report", "edit", "delete", "print", "store", "read_preliminary"}),
    ],
)
def test_the_rights_of_each_role_are_those_of_the_manual(role: str, may: set[str], may_not: set[str]) -> None:
    assert may <= ROLES[role]
    assert not may_not & ROLES[role]


async def test_a_users_filter_comes_with_the_identity(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test", row_filter={"Modality": ["CR", "DX"]})
    assert (await log_in(accounts, "eva", PASSWORD)).row_filters == (RowFilter({"Modality": ("CR", "DX")}),)


async def test_a_wrong_password_and_an_unknown_name_are_refused_alike(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    assert await refusal(accounts, "eva", "wrong") == await refusal(accounts, "nobody", "wrong") == 401


async def test_an_unknown_name_is_looked_at_as_long_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    hasher = SimpleNamespace(verify=lambda _, password: looked_at.append(password), hash=lambda _: "a hash")
    monkeypatch.setattr(passwords, "_hasher", hasher)
    monkeypatch.setattr(passwords, "_nobody", lambda: "a hash")
    assert not await passwords.verify_password("guess", None)
    assert looked_at == ["guess"]


async def test_after_five_failures_the_name_waits_from_there_and_from_there_alone(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    statuses = [await refusal(accounts, "eva", f"wrong {attempt}") for attempt in range(7)]
    assert statuses[:5] == [401] * 5
    assert 429 in statuses[5:]
    assert await refusal(accounts, "eva", PASSWORD) == 429
    assert (await log_in(accounts, "eva", PASSWORD, "10.0.0.9")).name == "eva"


async def test_the_right_password_makes_up_for_wrong_ones_before_it(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    for _ in range(2):
        assert [await refusal(accounts, "eva", f"wrong {attempt}") for attempt in range(4)] == [401] * 4
        assert (await log_in(accounts, "eva", PASSWORD)).name == "eva"


async def test_an_address_may_stand_for_many_people(accounts: Accounts) -> None:
    assert [await refusal(accounts, f"person {number}", "wrong") for number in range(8)] == [401] * 8


async def test_guesses_at_once_wait_like_guesses_one_by_one(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    verify = passwords.verify_password
    monkeypatch.setattr(passwords, "verify_password", lambda *given: looked_at.append(given[0]) or verify(*given))
    await accounts.add("eva", "General", PASSWORD, by="test")
    refused = await asyncio.gather(*(refusal(accounts, "eva", f"guess {number}") for number in range(30)))
    assert refused.count(429) > 20
    assert len(looked_at) < 10


async def test_wrong_tokens_wait_and_keep_no_other_token_and_no_password_waiting(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    token = await accounts.create_token("eva", by="test")
    statuses = [await refusal_of_token(accounts, f"wrong {number}") for number in range(60)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert (await by_token(accounts, token)).name == "eva"
    assert (await log_in(accounts, "eva", PASSWORD)).name == "eva"


async def by_token(accounts: Accounts, token: str) -> Identity:
    return await accounts.log_in({"scheme": "bearer", "token": token, "address": "10.0.0.8"}, accounts.local)


async def refusal_of_token(accounts: Accounts, token: str) -> int:
    with pytest.raises(NotPermitted) as caught:
        await by_token(accounts, token)
    return caught.value.http_status


async def test_a_token_opens_the_door_until_it_is_revoked(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    token = await accounts.create_token("eva", by="test")
    identity = await accounts.log_in({"scheme": "bearer", "token": token}, accounts.local)
    assert (identity.name, identity.permissions) == ("eva", ROLES["General"])
    assert len(token) >= 43
    (kept,) = await accounts.tokens()
    await accounts.revoke_token(kept.id, by="test")
    with pytest.raises(NotPermitted):
        await accounts.log_in({"scheme": "bearer", "token": token}, accounts.local)


async def test_a_token_ends_with_its_lifetime(accounts: Accounts) -> None:
    token = await accounts.create_token("admin", by="test", lifetime=timedelta(seconds=-1))
    with pytest.raises(NotPermitted):
        await accounts.log_in({"scheme": "bearer", "token": token}, accounts.local)


async def test_a_disabled_user_gets_in_by_neither_password_nor_token(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    token = await accounts.create_token("eva", by="test")
    await accounts.change("eva", by="test", disabled=True)
    assert await refusal(accounts, "eva", PASSWORD) == 401
    with pytest.raises(NotPermitted):
        await accounts.log_in({"scheme": "bearer", "token": token}, accounts.local)


@pytest.mark.parametrize(
    ("name", "role", "password", "told"),
    [
        ("eva", "General", "short", "at least 8"),
        ("eva", "General", "x" * 300, "at most 256"),
        ("charrua1", "General", "Charrua1", "first that anybody tries"),
        ("eva", "Surgeon", PASSWORD, "no role Surgeon"),
        ("", "General", PASSWORD, "1 to 64"),
        ("e\nva", "General", PASSWORD, "printable"),
        ("admin", "General", PASSWORD, "already"),
    ],
)
async def test_what_is_wrong_with_a_new_user_is_told(
    accounts: Accounts, name: str, role: str, password: str, told: str
) -> None:
    with pytest.raises(EditInvalid, match=told):
        await accounts.add(name, role, password, by="test")


async def test_the_last_administrator_cannot_go(accounts: Accounts) -> None:
    for change in ({"role": "General"}, {"disabled": True}):
        with pytest.raises(EditInvalid, match="only administrator"):
            await accounts.change("admin", by="test", **change)
    with pytest.raises(EditInvalid, match="only administrator"):
        await accounts.remove("admin", by="test")


async def test_resetting_the_administrator_gives_the_first_password_back_and_ends_the_tokens(
    accounts: Accounts,
) -> None:
    await accounts.set_password("admin", PASSWORD, by="test")
    await accounts.create_token("admin", by="test")
    await accounts.reset_admin(by="test")
    assert (await log_in(accounts, "admin", "admin", "::1")).permissions == {"change_password"}
    assert await accounts.tokens() == []


async def test_a_provider_that_fails_lets_nobody_in(accounts: Accounts) -> None:
    async def failing(_credentials: Mapping[str, Any]) -> None:
        raise ConnectionError

    with pytest.raises(NotPermitted) as refused:
        await accounts.log_in({"scheme": "password", "name": "admin", "password": "admin"}, failing)
    assert refused.value.http_status == 503


async def test_log_ins_and_changes_of_users_are_in_the_audit_trail_without_a_password(
    accounts: Accounts, db: Database
) -> None:
    await accounts.add("eva", "General", PASSWORD, by="ana")
    await log_in(accounts, "eva", PASSWORD)
    await refusal(accounts, "eva", "wrong one")
    trail = await audit.read(db)
    told = [(entry["event"], entry["succeeded"], entry["who"]) for entry in trail]
    assert told == [("110114", False, "eva"), ("110114", True, "eva"), ("110113", True, "ana")]
    assert PASSWORD not in str(trail)
    assert "wrong one" not in str(trail)


# -- sessions ------------------------------------------------------------------------------------------------------------
async def begin(accounts: Accounts, name: str = "ana", role: str = "Manager") -> str:
    await accounts.add(name, role, PASSWORD, by="test")
    identity = await log_in(accounts, name, PASSWORD)
    return await accounts.sessions.begin(identity, address="10.0.0.8", agent="Firefox")


async def test_a_session_says_who_it_is_and_is_kept_as_a_digest(accounts: Accounts, db: Database) -> None:
    session = await begin(accounts)
    assert (await accounts.sessions.identity(session)) == await log_in(accounts, "ana", PASSWORD)
    assert await accounts.sessions.identity("another") is None
    async with db.reading() as connection:
        row = (await connection.execute(select(tables.session))).one()
    assert session not in str(row)


@pytest.mark.parametrize(
    "end",
    [
        lambda accounts: accounts.set_password("ana", "another password", by="ana"),
        lambda accounts: accounts.change_password("ana", PASSWORD, "another password", address="10.0.0.8"),
        lambda accounts: accounts.change("ana", by="admin", role="Referring"),
        lambda accounts: accounts.change("ana", by="admin", disabled=True),
        lambda accounts: accounts.remove("ana", by="admin"),
        lambda accounts: accounts.sessions.kill("ana", by="admin"),
    ],
    ids=["set password", "change password", "role", "disable", "remove", "kill"],
)
async def test_a_changed_account_has_no_session_left_and_others_keep_theirs(accounts: Accounts, end) -> None:
    session, other = await begin(accounts), await begin(accounts, "rosa")
    await end(accounts)
    assert await accounts.sessions.identity(session) is None
    assert (await accounts.sessions.identity(other)) is not None


async def test_the_reset_of_admin_ends_its_sessions(accounts: Accounts) -> None:
    identity = await log_in(accounts, "admin", "admin", "127.0.0.1")
    session = await accounts.sessions.begin(identity, address="", agent="")
    await accounts.reset_admin(by="root")
    assert await accounts.sessions.identity(session) is None


async def test_a_new_filter_counts_at_once(accounts: Accounts) -> None:
    session = await begin(accounts)
    await accounts.change("ana", by="admin", row_filter={"Modality": ["CR"]})
    assert (await accounts.sessions.identity(session)).row_filters == (RowFilter({"Modality": ("CR",)}),)


@pytest.mark.parametrize(
    ("sets", "lives"),
    [
        ("used_at = now() - interval '19 min'", True),
        ("used_at = now() - interval '21 min'", False),
        ("expires_at = now() - interval '1 s'", False),
    ],
)
async def test_a_session_ends_when_it_is_not_used_and_at_the_latest_after_its_hours(
    accounts: Accounts, db: Database, sets: str, lives: bool
) -> None:
    session = await begin(accounts)
    async with db.transaction() as tx:
        await tx.execute(text(f"UPDATE core.session SET {sets}"))
    assert (await accounts.sessions.identity(session) is not None) == lives
    assert [one.name for one in await accounts.sessions.all()] == (["ana"] if lives else [])
    if lives:  # it was used just now
        assert datetime.now(UTC) - (await accounts.sessions.all())[0].used_at < timedelta(minutes=1)


async def test_who_a_plugin_vouches_for_has_what_it_said(accounts: Accounts) -> None:
    vouched = Identity(
        "cn=lara", "user", frozenset({"staff"}), frozenset({"query"}), (RowFilter({"Modality": ("MR",)}),)
    )
    session = await accounts.sessions.begin(vouched, address="10.0.0.9", agent="")
    assert await accounts.sessions.identity(session) == vouched


async def test_a_log_out_ends_one_session_and_is_in_the_trail(accounts: Accounts, db: Database) -> None:
    session = await begin(accounts)
    await accounts.sessions.end(session, Origin("web", user="ana"))
    assert await accounts.sessions.identity(session) is None
    newest = (await audit.read(db, event=audit.Event.USER_AUTHENTICATION))[0]
    assert (newest["who"], newest["detail"]) == ("ana", {"type": "logout"})


async def test_the_current_password_must_be_known_to_change_it(accounts: Accounts) -> None:
    await begin(accounts)
    with pytest.raises(NotPermitted):
        await accounts.change_password("ana", "a wrong one", "another password", address="10.0.0.8")
    assert await log_in(accounts, "ana", PASSWORD)


# -- details -------------------------------------------------------------------------------------------------------------
async def test_what_is_known_of_a_person_is_kept_and_told(accounts: Accounts) -> None:
    details = {"full_name": "Eva Ruiz", "transfer_syntax": "1.2.840.10008.1.2.4.50", "printer": " FILM1 "}
    await accounts.add("eva", "General", PASSWORD, by="test", must_change_password=True, **details)
    account = await accounts.get("eva")
    assert (account.full_name, account.transfer_syntax, account.printer) == (*list(details.values())[:2], "FILM1")
    assert account.must_change_password
    assert account.logged_in_at is None
    await log_in(accounts, "eva", PASSWORD)
    assert (await accounts.get("eva")).logged_in_at is not None


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({"role": "King"}, "there is no role King"),
        ({"printer": "MORE THAN SIXTEEN CHARACTERS"}, "no AE title"),
        ({"transfer_syntax": "1.2.3"}, "a viewing client gets images as stored"),
        ({"full_name": "E\nva"}, "100 printable characters"),
        ({"disabled": "no"}, "true or false"),
        ({"row_filter": {"Modality": []}}, "1 to 100 values"),
        ({"row_filter": {"Modality": [""]}}, "an empty value"),
        ({"row_filter": {"Modality": "CR"}}, "1 to 100 values"),
        ({"row_filter": ["CR"]}, "a filter is an object"),
        ({"row_filter": {"no keyword": ["CR"]}}, "no keyword"),
        ({"password_hash": "x"}, "an account has no password_hash"),
    ],
)
async def test_what_will_not_do_for_an_account_is_refused(accounts: Accounts, details: Any, why: str) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    with pytest.raises(EditInvalid, match=why):
        await accounts.change("eva", by="test", **details)


async def test_who_is_not_there_is_not_found(accounts: Accounts) -> None:
    with pytest.raises(UserNotFound):
        await accounts.get("nobody")
    with pytest.raises(UserNotFound):
        await accounts.change("nobody", by="test", disabled=True)


async def test_a_password_that_somebody_else_has_set_may_have_to_be_changed(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    await accounts.set_password("eva", "given by the desk", by="admin", must_change=True)
    assert (await log_in(accounts, "eva", "given by the desk")).permissions == {"change_password"}


async def test_nobody_ends_what_is_of_another(accounts: Accounts) -> None:
    await accounts.add("eva", "General", PASSWORD, by="test")
    await accounts.create_token("eva", by="eva", purpose="dictation")
    (token,) = await accounts.tokens()
    assert token.purpose == "dictation"
    session = await accounts.sessions.begin(await log_in(accounts, "eva", PASSWORD), address="10.0.0.8", agent="")
    with pytest.raises(EditInvalid, match="no such token"):
        await accounts.revoke_token(token.id, by="admin", of="admin")
    with pytest.raises(EditInvalid, match="no session"):
        await accounts.sessions.kill(id_of(session), by="admin", of="admin")
    await accounts.revoke_token(token.id, by="eva", of="eva")
    assert await accounts.sessions.kill(id_of(session), by="eva", of="eva") == 1
