"""`charrua hl7 receiver`. Imported at every call of `charrua`: what a command needs is imported when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from charrua_core.cli.running import operator, table, with_app

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.types import Identity, Origin


def who() -> tuple[Identity, Origin]:
    """Give who gives the command, and from where."""
    from charrua_core.types import Identity, Origin

    return Identity(operator(), "user", permissions=frozenset({"*"})), Origin("cli", user=operator())


@click.group()
def receiver() -> None:
    """Systems that results and the state of orders are sent to."""


@receiver.command("add")
@click.argument("name")
@click.argument("host")
@click.argument("port", type=click.IntRange(1, 65535))
@click.option("--tls", type=click.Choice(["off", "encrypt", "verify"]), help="How to call it.  [a new one: off]")
@click.option("--application", help="Receiving Application (MSH-5).")
@click.option("--facility", help="Receiving Facility (MSH-6).")
@click.option("--version", help="Version of HL7.  [a new one: 2.5]")
@click.option("--character-set", help="As MSH-18 names it.  [a new one: UNICODE UTF-8]")
@click.option(
    "--sends",
    type=click.Choice(["results", "orders"]),
    multiple=True,
    help="What it is sent (repeatable).  [a new one: results]",
)
@click.option("--enabled/--disabled", default=None, help="Whether it is sent to, or what is for it waits.")
@with_app
async def add(app: App, /, name: str, **given: Any) -> None:
    """Add a receiver, or change the one of this name: what is not given stays as it is."""
    from charrua_hl7.outgoing import receivers

    sends = list(given.pop("sends"))
    fields = {field: value for field, value in given.items() if value is not None} | ({"sends": sends} if sends else {})
    is_known = name in await receivers.every(app)
    one = await (receivers.change if is_known else receivers.add)(app, name, fields, *who())
    click.echo(f"{'changed' if is_known else 'added'} {one.name} at {one.host}:{one.port}")


@receiver.command("list")
@with_app
async def list_receivers(app: App) -> None:
    """List the receivers."""
    from charrua_hl7.outgoing import receivers

    rows = []
    for one in (await receivers.every(app)).values():
        named = "|".join((one.application, one.facility)).strip("|")
        sent = (one.version, one.character_set, " ".join(one.sends), "on" if one.enabled else "off")
        rows.append((one.name, one.host, one.port, one.tls, named, *sent))
    table(rows, "NAME", "HOST", "PORT", "TLS", "MSH-5|6", "VERSION", "CHARACTER SET", "SENDS", "STATE")


@receiver.command("remove")
@click.argument("name")
@with_app
async def remove(app: App, name: str) -> None:
    """Remove a receiver; what waits for it has failed then."""
    from charrua_hl7.outgoing import receivers

    await receivers.remove(app, name, *who())
    click.echo(f"removed {name}")


@receiver.command("test")
@click.argument("name")
@with_app
async def test(app: App, name: str) -> None:
    """Connect to a receiver, with TLS where that is set, and send nothing."""
    from charrua_hl7.outgoing import mllp, receivers
    from charrua_hl7.outgoing.errors import NotDelivered
    from charrua_hl7.outgoing.receiver_calls import told

    one = await receivers.find(app, name)
    try:
        click.echo(told(one, await mllp.reach(app.settings, one)))
    except NotDelivered as error:
        raise click.ClickException(f"{name}: {error}") from error
