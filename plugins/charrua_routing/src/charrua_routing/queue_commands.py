"""`charrua routing queue`: the sendings that wait, run, failed or are done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from charrua_core.cli.running import operator, table, with_app

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_core.types import Identity, Origin


@click.group()
def queue() -> None:
    """Sendings that wait, run, failed or are done."""


def _who() -> tuple[Identity, Origin]:
    from charrua_core.types import Identity, Origin

    return Identity(operator(), "user", permissions=frozenset({"*"})), Origin("cli", user=operator())


@queue.command("list")
@click.option("--state", type=click.Choice(["due", "running", "done", "dead"]), help="Those in this state.")
@click.option("--destination", default="", help="Those to this destination.")
@click.option("--before", type=click.IntRange(1), help="Those older than this one.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@with_app
async def list_sendings(app: App, state: Any, destination: str, before: int | None, limit: int) -> None:
    """List sendings, newest first."""
    from charrua_routing.queue import as_json, sendings

    found = await sendings(app, _who()[0], state=state, destination=destination, before=before, limit=limit)
    rows = [as_json(job) for job in found]
    names = ("id", "state", "destination", "objects", "sent", "priority", "attempts", "run_at", "last_error")
    head = ("SENDING", "STATE", "DESTINATION", "TO SEND", "SENT", "PRIORITY", "TRIES", "NEXT TRY", "LAST ERROR")
    table([tuple(row[name] for name in names) for row in rows], *head)


@queue.command()
@click.argument("sending", type=click.IntRange(1))
@with_app
async def again(app: App, sending: int) -> None:
    """Send again now what failed or waits, with the whole schedule of tries before it."""
    from charrua_routing.queue import again

    await again(app, *_who(), sending)
    click.echo(f"sending {sending} is due")


@queue.command()
@click.argument("sending", type=click.IntRange(1))
@with_app
async def delete(app: App, sending: int) -> None:
    """Take a sending out of the queue: what it has not sent is not sent."""
    from charrua_routing.queue import delete

    await delete(app, *_who(), sending)
    click.echo(f"sending {sending} is deleted")
