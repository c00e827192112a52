"""The accounts of this archive, and who somebody is by name and password or by token."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from charrua_core import audit, metrics, tables
from charrua_core.accounts import passwords, sessions, throttle
from charrua_core.accounts.details import Account, check_name, checked, line
from charrua_core.accounts.roles import ROLES
from charrua_core.accounts.rows import By, as_identity, note, with_role
from charrua_core.errors import EditInvalid, NotPermitted, UserNotFound
from charrua_core.types import Identity, Origin, Refuse

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.db import Database
    from charrua_core.settings import Settings

log = logging.getLogger(__name__)

FIRST_NAME = "admin"
FIRST_PASSWORD = "admin"  # noqa: S105 -- the manual's; works on this machine alone and must be changed
WRONG = Refuse("name or password is wrong", http_status=401)
_SCHEMES = ("password", "bearer", "dicom", "other")
_LOG_INS = metrics.counter(
    "charrua_log_ins_total",
    "Log-ins and requests with a token, by what became of them; `failed` where no provider could tell.",
    scheme=_SCHEMES,
    outcome=("ok", "refused", "throttled", "failed"),
)
_account, _token, _role = tables.account, tables.token, tables.role


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What is kept of a token: the first digits of its digest name it."""

    id: str
    account: str
    created_at: datetime
    expires_at: datetime | None
    purpose: str = ""


class Accounts:
    """Accounts, roles and tokens in the database.

    Every change is in the audit trail, with `by` as the one who made it.
    """

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self.sessions = sessions.Sessions(db, settings)
        self._guessing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def prepare(self) -> bool:
        """Make the roles, and at the very first start the account admin; True if that was made."""
        async with self._db.reading() as connection:
            kept = {row.name: frozenset(row.permissions) for row in await connection.execute(select(_role))}
            empty = (await connection.execute(select(_account.c.name).limit(1))).first() is None
        if kept != ROLES:
            await self._write_roles()
        if not empty:
            return False
        hashed = await passwords.hash_password(FIRST_PASSWORD)
        async with self._db.transaction() as tx:
            first = {"name": FIRST_NAME, "role": "Admin", "password_hash": hashed, "must_change_password": True}
            made = await tx.execute(insert(_account).values(first).on_conflict_do_nothing())
        return bool(made.rowcount)

    async def _write_roles(self) -> None:
        async with self._db.transaction() as tx:
            for name, permissions in ROLES.items():
                row = {"permissions": sorted(permissions)}
                role = insert(_role).values(name=name, **row)
                await tx.execute(role.on_conflict_do_update(index_elements=["name"], set_=row))

    # -- accounts --------------------------------------------------------------------------------------------------------
    async def add(self, name: str, role: str, password: str, *, by: By, **details: Any) -> None:
        """Add an account, with `details` of `Account`; EditInvalid if one will not do, or the name is taken."""
        given = checked({"role": role, **details})
        passwords.check_strength(password, check_name(name), self._settings["password_length"])
        row = {"name": name, "password_hash": await passwords.hash_password(password), **given}
        async with self._db.transaction() as tx:
            made = await tx.execute(insert(_account).values(row).on_conflict_do_nothing())
            if not made.rowcount:
                raise EditInvalid(f"there is a user {name} already")
            await note(tx, "C", by, user=name, role=role)

    async def remove(self, name: str, *, by: By) -> None:
        """Remove an account and its tokens. EditInvalid for the last administrator."""
        async with self._db.transaction() as tx:
            account = await _locked(tx, name)
            if account.role == "Admin" and await _count_of_administrators(tx) == 1:
                raise EditInvalid(f"{name} is the only administrator left")
            await tx.execute(delete(_account).where(_account.c.name == name))
            await note(tx, "D", by, user=name)

    async def all(self) -> list[Account]:
        """Give all accounts by name."""
        async with self._db.reading() as connection:
            return [_as_account(row) for row in await connection.execute(select(_account).order_by(_account.c.name))]

    async def get(self, name: str) -> Account:
        """Give an account; EditInvalid if there is none of this name."""
        async with self._db.reading() as connection:
            found = (await connection.execute(select(_account).where(_account.c.name == name))).one_or_none()
        if found is None:
            raise UserNotFound(f"there is no user {name[:64]}")
        return _as_account(found)

    async def set_password(self, name: str, password: str, *, by: By, must_change: bool = False) -> None:
        """Set a password; tokens stay valid, sessions end. EditInvalid if there is no such user or the password is too weak.

        With `must_change` it is good for one log-in, to be changed there.
        """
        passwords.check_strength(password, name, self._settings["password_length"])
        hashed = await passwords.hash_password(password)
        async with self._db.transaction() as tx:
            await _locked(tx, name)
            await tx.execute(_change(name, password_hash=hashed, must_change_password=must_change))
            await sessions.end_all(tx, name)
            await note(tx, "U", by, user=name, changed="password")

    async def change_password(self, name: str, current: str, new: str, *, address: str) -> None:
        """Let a user set their own password. NotPermitted as of `log_in` where the current one is not `current`."""
        await self.prove(name, current, address=address)
        await self.set_password(name, new, by=Origin("web", address=address, user=name))

    async def prove(self, name: str, password: str, *, address: str) -> None:
        """Have somebody prove by the password of their account here that it is them; NotPermitted as of `log_in`."""
        known = {"scheme": "password", "name": name, "password": password, "address": address}
        await self.log_in(known, self.local)

    async def reset_admin(self, *, by: By) -> None:
        """Give admin the password `admin` again, to be changed at the next log-in, and end its tokens and sessions."""
        hashed = await passwords.hash_password(FIRST_PASSWORD)
        row = {"role": "Admin", "password_hash": hashed, "must_change_password": True, "disabled": False}
        async with self._db.transaction() as tx:
            made = insert(_account).values(name=FIRST_NAME, **row)
            await tx.execute(made.on_conflict_do_update(index_elements=["name"], set_=row))
            await tx.execute(delete(_token).where(_token.c.account == FIRST_NAME))
            await sessions.end_all(tx, FIRST_NAME)
            await tx.execute(delete(tables.guess).where(tables.guess.c.key.startswith(f"name {FIRST_NAME} ")))
            await note(tx, "U", by, user=FIRST_NAME, changed="password reset")

    async def change(self, name: str, *, by: By, **columns: Any) -> None:
        """Change details of an account: a new role, and being disabled, end its sessions. EditInvalid if one will not do."""
        columns = checked(columns)
        async with self._db.transaction() as tx:
            account = await _locked(tx, name)
            loses = columns.get("role", "Admin") != "Admin" or columns.get("disabled", False)
            if account.role == "Admin" and loses and await _count_of_administrators(tx) == 1:
                raise EditInvalid(f"{name} is the only administrator left")
            await tx.execute(_change(name, **columns))
            changed = sorted(column for column, value in columns.items() if getattr(account, column) != value)
            if {"role", "disabled"} & set(changed):
                await sessions.end_all(tx, name)
            await note(tx, "U", by, user=name, changed=", ".join(changed))

    # -- tokens ----------------------------------------------------------------------------------------------------------
    async def create_token(self, name: str, *, by: By, lifetime: timedelta | None = None, purpose: str = "") -> str:
        """Give a new bearer token of the user: 256 random bits, kept as their SHA-256 alone."""
        purpose = line(purpose, "what a token is for", 100)
        token = secrets.token_urlsafe(32)
        expires = datetime.now(UTC) + lifetime if lifetime else None
        row = {"digest": _digest(token), "purpose": purpose}
        async with self._db.transaction() as tx:
            await _locked(tx, name)
            await tx.execute(insert(_token).values({**row, "account": name, "expires_at": expires}))
            await note(tx, "C", by, user=name, changed="token", token=_digest(token).hex()[:12])
        return token

    async def revoke_token(self, token_or_id: str, *, by: By, of: str | None = None) -> str:
        """End a token, by itself or by its id; give its user. EditInvalid if there is none, or none `of` this user."""
        digest = func.encode(_token.c.digest, "hex")
        fits = (_token.c.digest == _digest(token_or_id)) | (func.left(digest, 12) == token_or_id.lower())
        owned = _token.c.account == of if of is not None else literal(True)
        async with self._db.transaction() as tx:
            in_force = update(_token).where(fits, owned, _token.c.revoked_at.is_(None))
            ended = in_force.values(revoked_at=func.now())
            name = (await tx.execute(ended.returning(_token.c.account))).scalars().first()
            if name is None:
                raise EditInvalid("there is no such token in force")
            await note(tx, "D", by, user=name, changed="token")
        return str(name)

    async def tokens(self) -> list[TokenInfo]:
        """Give the tokens in force."""
        statement = select(_token).where(_token.c.revoked_at.is_(None)).order_by(_token.c.created_at)
        async with self._db.reading() as connection:
            return [_as_token(row) for row in await connection.execute(statement)]

    # -- who is it -------------------------------------------------------------------------------------------------------
    async def log_in(self, credentials: Mapping[str, Any], ask: Callable[..., Any]) -> Identity:
        """Give who it is, asking the providers by `ask(credentials)`; NotPermitted (401, or 429 while it must wait).

        Repeated failures of a name or an address make it wait, whichever provider refused; but no valid token waits. In the
        audit trail either way.
        """
        # PostgreSQL takes no NUL: such a name is nobody's, and fails as any other.
        name = str(credentials.get("name", "")).replace("\0", "\N{REPLACEMENT CHARACTER}")
        if name:
            credentials = {**credentials, "name": name}
        keys = throttle.keys_of(name or "token", str(credentials.get("address", "")))
        if credentials.get("scheme") == "bearer":
            keys = keys[:1]  # wrong tokens are no guesses at passwords, and keep nobody at that address from logging in
        if credentials.get("scheme") != "password":
            return await self._answer(credentials, ask, keys)
        # One at a time: of a hundred guesses at once each would find that it need not wait.
        async with self._guessing.setdefault(keys[0], asyncio.Lock()):
            return await self._answer(credentials, ask, keys)

    async def _answer(self, credentials: Mapping[str, Any], ask: Callable[..., Any], keys: tuple[str, ...]) -> Identity:
        name = str(credentials.get("name", ""))
        until = await throttle.wait_until(self._db, keys)
        # No token is ever guessed: who has one does not wait for others who come from there with none.
        if until and credentials.get("scheme") != "bearer":
            raise _throttled(credentials, until)
        try:
            verdict = await ask(credentials) or WRONG
        except Exception:
            log.exception("an authentication provider failed", extra={"scheme": credentials.get("scheme")})
            verdict = Refuse("log-in does not work at the moment", http_status=503)
        if isinstance(verdict, Refuse):
            if until:
                raise _throttled(credentials, until)
            if verdict.http_status == WRONG.http_status:
                await throttle.failed(self._db, keys, self._settings["authentication_delay"])
            await self._note_log_in(name, credentials, verdict)
            _log_in(credentials, "failed" if verdict.http_status == 503 else "refused")
            raise _refusal(verdict)
        if credentials.get("scheme") == "password":
            await throttle.succeeded(self._db, keys)
            await self._note_log_in(verdict.name, credentials, None)
        _log_in(credentials, "ok")
        return verdict  # type: ignore[no-any-return]

    async def local(self, credentials: Mapping[str, Any]) -> Identity | Refuse | None:
        """Say who it is by this archive's own accounts: core's own `auth_provider`."""
        if credentials.get("scheme") == "password":
            return await self._by_password(credentials)
        if credentials.get("scheme") == "bearer":
            return await self._by_token(str(credentials["token"]))
        return None

    async def identity(self, name: str) -> Identity | None:
        """Give the identity of an account that is in force."""
        async with self._db.reading() as connection:
            found = (await connection.execute(with_role().where(_account.c.name == name))).one_or_none()
        return None if found is None or found.disabled else as_identity(found)

    async def _by_password(self, credentials: Mapping[str, Any]) -> Identity | Refuse | None:
        name, password = str(credentials["name"]), str(credentials["password"])
        async with self._db.reading() as connection:
            found = (await connection.execute(with_role().where(_account.c.name == name))).one_or_none()
        right = await passwords.verify_password(password, found.password_hash if found else None)
        if found is None or found.disabled or not right:
            return WRONG
        if (
            found.must_change_password
            and password == FIRST_PASSWORD
            and not is_local(str(credentials.get("address", "")))
        ):
            return Refuse("change the first password at the machine itself", http_status=403)
        return as_identity(found)

    async def _by_token(self, token: str) -> Identity | Refuse:
        statement = with_role().join(_token, _token.c.account == _account.c.name)
        in_force = _token.c.revoked_at.is_(None) & (_token.c.expires_at.is_(None) | (_token.c.expires_at > func.now()))
        async with self._db.reading() as connection:
            query = statement.where(_token.c.digest == _digest(token), in_force)
            found = (await connection.execute(query)).one_or_none()
        return WRONG if found is None or found.disabled else as_identity(found)

    async def _note_log_in(self, name: str, credentials: Mapping[str, Any], refused: Refuse | None) -> None:
        aet = str(credentials.get("aet", ""))
        origin = Origin(
            "dimse" if aet else "web", calling_aet=aet, address=str(credentials.get("address", "")), user=name
        )
        detail = {"reason": refused.reason} if refused else {}
        async with self._db.transaction() as tx:
            if refused is None:
                await tx.execute(_change(name, logged_in_at=func.now()))
            event = audit.Event.USER_AUTHENTICATION
            await audit.record(tx, event, "E", name, origin, succeeded=refused is None, **detail)


def _log_in(credentials: Mapping[str, Any], outcome: str) -> None:
    scheme = str(credentials.get("scheme"))
    _LOG_INS.labels(scheme if scheme in _SCHEMES else "other", outcome).inc()


def _throttled(credentials: Mapping[str, Any], until: datetime) -> NotPermitted:
    _log_in(credentials, "throttled")
    what = "tokens" if credentials.get("scheme") == "bearer" else "passwords"
    error = _refusal(Refuse(f"too many wrong {what}: wait a little", http_status=429))
    error.retry_after_s = (until - datetime.now(UTC)).total_seconds()
    return error


def is_local(address: str) -> bool:
    """Whether the address is this machine's own loopback, or none (a command on this machine)."""
    try:
        return not address or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _as_account(row: Any) -> Account:
    return Account(**{one.name: getattr(row, one.name) for one in fields(Account)})


def _as_token(row: Any) -> TokenInfo:
    return TokenInfo(row.digest.hex()[:12], row.account, row.created_at, row.expires_at, row.purpose)


def _change(name: str, **columns: Any) -> Any:
    return update(_account).where(_account.c.name == name).values(columns)


async def _locked(tx: AsyncConnection, name: str) -> Any:
    found = (await tx.execute(select(_account).where(_account.c.name == name).with_for_update())).one_or_none()
    if found is None:
        raise UserNotFound(f"there is no user {name[:64]}")
    return found


async def _count_of_administrators(tx: AsyncConnection) -> int:
    in_force = select(_account.c.name).where(_account.c.role == "Admin", ~_account.c.disabled).with_for_update()
    return len((await tx.execute(in_force)).all())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _refusal(refused: Refuse) -> NotPermitted:
    error = NotPermitted(refused.reason)
    error.http_status, error.dimse_status = refused.http_status, refused.dimse_status
    return error
