"""`charrua destination`: the places that objects are sent to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from charrua_core.app import App
from charrua_core.cli.running import operator, table, with_app
from charrua_core.errors import CharruaError
from charrua_core.types import Destination


@click.group()
def destination() -> None:
    """Places that objects are sent to: peers, and others of the kinds that plugins bring."""


@destination.command("add")
@click.argument("name")
@click.argument("kind")
@click.argument("options", nargs=-1, metavar="[OPTION=VALUE]...")
@click.option("--enabled/--disabled", default=None, help="What is sent to a disabled one waits.")
@click.option("--concurrency", type=click.IntRange(1, 16), help="How many jobs send there at once.  [a new one: 1]")
@click.option("--window", help="When it is sent to, as 22:00-06:00; always: at any time.")
@click.option("--timeout", type=click.IntRange(1, 3600), help="Seconds that one answer may take.  [a new one: 60]")
@with_app
async def add(
    app: App,
    name: str,
    kind: str,
    options: tuple[str, ...],
    enabled: bool | None,
    concurrency: int | None,
    window: str | None,
    timeout: int | None,
) -> None:
    """Add a destination, or change the one of this name: what is not given stays as it is.

    `charrua destination kinds` tells the options of each kind; OPTION= takes one away, OPTION=- reads a line that is not
    shown.
    """
    known = app.destinations.find(name)
    start = known if known and known.kind == kind else Destination(name, kind)
    given = {**start.options, **dict(_option(one) for one in options)}
    changed: dict[str, Any] = {"options": {option: value for option, value in given.items() if value != ""}}
    changed |= {} if enabled is None else {"enabled": enabled}
    changed |= {} if concurrency is None else {"concurrency": concurrency}
    changed |= {} if window is None else {"window": "" if window == "always" else window}
    changed |= {} if timeout is None else {"timeout_s": float(timeout)}
    new = await app.destinations.add(replace(start, **changed), by=operator())
    click.echo(f"{'added' if new else 'changed'} {name}")


def _option(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise click.BadParameter(f"{given} is not OPTION=VALUE")
    return name, click.prompt(name, hide_input=True) if value == "-" else value


@destination.command("list")
@with_app
async def list_destinations(app: App) -> None:
    """List the destinations, the peers among them."""
    rows = [
        (
            one.name,
            one.kind,
            "yes" if one.enabled else "no",
            one.concurrency,
            one.window or "always",
            f"{one.timeout_s:g} s",
            " ".join(f"{name}={value}" for name, value in app.destinations.shown(one).items()),
        )
        for one in app.destinations.all()
    ]
    table(rows, "NAME", "KIND", "ENABLED", "AT ONCE", "WINDOW", "TIMEOUT", "OPTIONS")


@destination.command("kinds")
@with_app
async def kinds(app: App) -> None:
    """List the kinds of destinations, with their options."""
    for kind in app.destinations.kinds.values():
        click.echo(f"{kind.name}: {kind.help}")
        for one in kind.options:
            must = " (needed)" if one.name in kind.required else ""
            default = f" [{one.show(one.default)}]" if one.default not in (None, "", ()) else ""
            click.echo(f"    {one.name}{must}: {one.help}{default}")


@destination.command("check")
@click.argument("name")
@with_app
async def check(app: App, name: str) -> None:
    """Look whether a destination is there: an echo, a search, a file that is written and removed."""
    known = await app.destinations.get(name)
    try:
        click.echo(await app.destinations.kind_of(known).probe(app, known))
    except CharruaError as error:
        raise click.ClickException(str(error)) from error


@destination.command("remove")
@click.argument("name")
@with_app
async def remove(app: App, name: str) -> None:
    """Remove a destination that is no peer."""
    await app.destinations.remove(name, by=operator())
    click.echo(f"removed {name}")
