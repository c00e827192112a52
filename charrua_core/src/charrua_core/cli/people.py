"""`charrua user`, `charrua token` and `charrua session`: people, their passwords, keys to the HTTP APIs, browsers."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from charrua_core.accounts import ROLES, check_row_filter
from charrua_core.app import App
from charrua_core.archive.search import check_filter
from charrua_core.cli.running import operator, table, with_app
from charrua_core.errors import EditInvalid
from charrua_core.settings import Setting

_from_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group()
def user() -> None:
    """People who may log in."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES), case_sensitive=False), default="General", show_default=True)
@click.option("--see", multiple=True, metavar="KEYWORD=VALUE", help="What they see alone, as Modality=CR (repeatable).")
@_from_stdin
@with_app
async def add(app: App, name: str, role: str, see: tuple[str, ...], password_stdin: bool) -> None:
    """Add a user."""
    row_filter = row_filter_given(see)
    await app.accounts.add(name, role, _password(password_stdin), by=operator(), row_filter=row_filter)
    click.echo(f"added {name}, {role}")


@user.command("change")
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES), case_sensitive=False), help="Another role.")
@click.option("--see", multiple=True, metavar="KEYWORD=VALUE", help="What they see alone (repeatable); all: no filter.")
@click.option("--full-name", help="The person's name.")
@click.option("--transfer-syntax", metavar="UID", help="Of their viewing client; an empty text: as stored.")
@click.option("--printer", metavar="AET", help="The printer that they print to.")
@click.option("--disabled/--enabled", default=None, help="Whether they are kept from logging in.")
@with_app
async def change(app: App, /, name: str, see: tuple[str, ...], **given: object) -> None:
    """Change what is known of a user; a new role, and being disabled, log them out."""
    changed = {column: value for column, value in given.items() if value is not None}
    if see:
        changed["row_filter"] = None if see == ("all",) else row_filter_given(see)
    if not changed:
        raise EditInvalid("name what is to be changed: charrua user change --help")
    await app.accounts.change(name, by=operator(), **changed)
    click.echo(f"changed {name}")


@user.command("list")
@with_app
async def list_users(app: App) -> None:
    """List the users."""
    rows = [
        (a.name, a.role, _state(a.disabled, a.must_change_password), row_filter_shown(a.row_filter))
        for a in await app.accounts.all()
    ]
    table(rows, "NAME", "ROLE", "STATE", "SEES")


@user.command("passwd")
@click.argument("name")
@_from_stdin
@with_app
async def passwd(app: App, name: str, password_stdin: bool) -> None:
    """Give a user a new password."""
    await app.accounts.set_password(name, _password(password_stdin), by=operator())
    click.echo(f"{name} has a new password")


@user.command("remove")
@click.argument("name")
@with_app
async def remove(app: App, name: str) -> None:
    """Remove a user and all tokens of theirs."""
    await app.accounts.remove(name, by=operator())
    click.echo(f"removed {name}")


@user.command("reset-admin")
@with_app
async def reset_admin(app: App) -> None:
    """Give the user admin the password admin again: it works on this machine alone, and must be changed."""
    await app.accounts.reset_admin(by=operator())
    click.echo("admin has the password admin; it works on this machine and must be changed at the next log-in")


@click.group()
def token() -> None:
    """Bearer tokens for the HTTP APIs."""


@token.command("create")
@click.argument("name")
@click.option("--lifetime", default="", metavar="DURATION", help='How long it is good, as "30 d"; without, for ever.')
@with_app
async def create(app: App, name: str, lifetime: str) -> None:
    """Print a new token of a user; it cannot be shown again."""
    click.echo(await app.accounts.create_token(name, by=operator(), lifetime=_duration(lifetime)))


@token.command("list")
@with_app
async def list_tokens(app: App) -> None:
    """List the tokens in force, by their ids."""
    rows = [
        (t.id, t.account, f"{t.created_at:%Y-%m-%d}", f"{t.expires_at:%Y-%m-%d}" if t.expires_at else "never")
        for t in await app.accounts.tokens()
    ]
    table(rows, "ID", "USER", "CREATED", "EXPIRES")


@token.command("revoke", context_settings={"ignore_unknown_options": True})  # a token may begin with a hyphen
@click.argument("token_or_id")
@with_app
async def revoke(app: App, token_or_id: str) -> None:
    """End a token, given itself or its id."""
    click.echo(f"revoked a token of {await app.accounts.revoke_token(token_or_id, by=operator())}")


@click.group()
def session() -> None:
    """Browsers that are logged in."""


@session.command("list")
@with_app
async def list_sessions(app: App) -> None:
    """List the sessions, the latest used first."""
    rows = [
        (s.id, s.name, s.address, f"{s.used_at:%Y-%m-%d %H:%M}", s.agent) for s in await app.accounts.sessions.all()
    ]
    table(rows, "ID", "USER", "ADDRESS", "USED", "BROWSER")


@session.command("kill")
@click.argument("id_or_user")
@with_app
async def kill(app: App, id_or_user: str) -> None:
    """Log out the browser of this id, or all browsers of a user."""
    count = await app.accounts.sessions.kill(id_or_user, by=operator())
    click.echo(f"ended {count} session{'s' * (count != 1)}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def row_filter_given(see: tuple[str, ...]) -> dict[str, list[str]] | None:
    """Give the filter that options `--see KEYWORD=VALUE` describe, None without any; EditInvalid if one will not do."""
    admitted: dict[str, list[str]] = {}
    for pair in see:
        keyword, equals, value = pair.partition("=")
        if not (keyword.isidentifier() and equals and value):
            raise EditInvalid(f"{pair!r} is no filter: write KEYWORD=VALUE, as Modality=CR")
        admitted.setdefault(keyword, []).append(value)
    check_filter(admitted)
    return check_row_filter(admitted)


def _duration(text: str) -> timedelta | None:
    if not text:
        return None
    value: timedelta = Setting("lifetime", timedelta, None, help="", since="0.1", minimum=1).parse(text, "--lifetime")
    return value


def _state(disabled: bool, must_change: bool) -> str:
    return "disabled" if disabled else "must change password" if must_change else ""


def row_filter_shown(row_filter: object) -> str:
    """Give a filter in words."""
    if not isinstance(row_filter, dict):
        return "all"
    return " and ".join(f"{keyword}={'|'.join(values)}" for keyword, values in row_filter.items())
