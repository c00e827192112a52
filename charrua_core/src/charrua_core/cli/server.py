"""`charrua serve` and what concerns the running server."""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

import click

from charrua_core import logs
from charrua_core.cli.running import start_of, table, with_app
from charrua_core.services.ahead import serve_forever
from charrua_core.services.lock import ServerLock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from charrua_core.app import App
    from charrua_core.changes import FollowerState


@click.command()
@click.option("--without", "_without", metavar="PLUGIN", multiple=True, help="Leave a plugin out (repeatable).")
def serve(_without: tuple[str, ...]) -> None:
    """Run the archive until SIGTERM; prints a line that begins with "ready" once every service listens."""
    logs.configure(1)
    serve_forever(start_of())


@click.command()
def restart() -> None:
    """Restart the services of the running server: settings that wait for a start take effect."""
    start = start_of()
    data_dir = start.data_dir(start.settings(start.hooks()))
    pid = ServerLock(data_dir).holder()
    if pid is None:
        raise click.ClickException(f"no server runs in {data_dir}")
    os.kill(pid, signal.SIGHUP)
    click.echo(f"the server, process {pid}, restarts")


@click.command()
def version() -> None:
    """Print the versions of Charrua, its plugins and Python."""
    click.echo(f"charrua {version_of('charrua-core')}")
    for plugin in start_of().hooks().plugins():
        if plugin.version:
            click.echo(f"{plugin.distribution} {plugin.version}")
    click.echo(f"python {sys.version.split()[0]}")


@click.command()
@with_app
async def status(app: App) -> None:
    """Tell what works; status 1 if something does not."""
    from charrua_core.services.listening import listener_answers

    lock = ServerLock(app.settings["data_dir"])
    pid = lock.holder()
    click.echo(f"server    {f'runs, process {pid}' if pid else 'does not run'}")
    findings = [*(await app.health.report()).findings, *([await listener_answers(app)] if pid else [])]
    for one in findings:
        mend = f" ({one.mend})" if one.mend and not one.works else ""
        click.echo(f"{one.name:<9} {'ok' if one.works else 'FAILS'}: {one.sentence}{mend}")
    for name in await app.settings.changed_since(app.db, lock.since()) if pid else ():
        click.echo(f"setting   {name} waits for a restart")
    if not all(one.works for one in findings):
        sys.exit(1)


@click.command()
@with_app
async def plugins(app: App) -> None:
    """List the plugins, the hooks of each, what was set aside because it failed, and what takes too long."""
    from charrua_core.changes import follower_states, set_aside
    from charrua_core.services.breaches import breaches
    from charrua_core.services.core import follower_of

    states = {one.name: one for one in await follower_states(app.db)}
    rows = []
    for one in app.hooks.plugins():
        own = [states[name] for hook in one.hooks if (name := follower_of(one.name, hook)) in states]
        rows.append((one.name, one.version, _lag(own), " ".join(one.hooks)))
    table(rows, "PLUGIN", "VERSION", "CHANGES", "HOOKS")
    failed = await set_aside(app.db)
    if failed:
        click.echo("\nSet aside (charrua plugin again NAME tells them once more):")
        table([(one.follower, one.seq, f"{one.at:%Y-%m-%d %H:%M:%S}", one.error) for one in failed], *_SET_ASIDE)

    slow = breaches(app.data_dir)
    if slow:
        click.echo("\nTook too long since the server has started:")
        table([(one.plugin, one.hook, one.slow, one.late, one.longest_s) for one in slow], *_SLOW)


def _lag(states: Sequence[FollowerState]) -> str:
    waiting = f"{max(one.waiting for one in states)} wait" if states else ""
    aside = sum(one.set_aside for one in states)
    return waiting + (f", {aside} set aside" if aside else "")


_SLOW = ("NAME", "HOOK", "CALLS", "FAR TOO LONG", "LONGEST (S)")
_SET_ASIDE = ("NAME", "CHANGE", "AT (UTC)", "WHY")


@click.command()
@click.option("--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds to wait.")
@with_app
async def settled(app: App, timeout: float) -> None:
    """Wait until the change feed is read to its end and no job is due; status 1 if it takes longer."""
    from charrua_core import jobs
    from charrua_core.services.core import follower_names

    if not await jobs.settled(app.db, follower_names(app), timeout, app.jobs):
        raise click.ClickException(f"not settled after {timeout:g} s; charrua status tells what waits")
