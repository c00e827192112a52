"""`charrua peer`: the remote AEs that this archive knows."""

from __future__ import annotations

from typing import Any

import click

from charrua_core.app import App
from charrua_core.cli.running import operator, table, with_app
from charrua_core.dicom.configured import echo_peer
from charrua_core.peers import PEER_PERMISSIONS, check_aet
from charrua_core.types import Peer


@click.group()
def peer() -> None:
    """Remote AEs: where they are and what they may do."""


@peer.command("add")
@click.argument("aet")
@click.argument("host")
@click.argument("port", type=click.IntRange(1, 65535))
@click.option("--tls", type=click.Choice(["off", "encrypt", "require"]), default="off", show_default=True)
@click.option("--timeout", type=click.IntRange(1, 3600), default=30, show_default=True, help="Seconds to wait for it.")
@click.option("--may", default=" ".join(sorted(PEER_PERMISSIONS)), show_default=True, help="What it may do here.")
@with_app
async def add(app: App, aet: str, host: str, port: int, tls: Any, timeout: int, may: str) -> None:
    """Add a remote AE, or change the one of this AE title."""
    permissions = frozenset(may.replace(",", " ").split())
    new = await app.peers.add(Peer(check_aet(aet), host, port, tls, float(timeout), permissions), by=operator())
    click.echo(f"{'added' if new else 'changed'} {aet} at {host}:{port}")


@peer.command("list")
@with_app
async def list_peers(app: App) -> None:
    """List the remote AEs."""
    rows = [
        (p.aet, p.host, p.port, p.tls_mode, f"{p.timeout_s:g} s", " ".join(sorted(p.permissions)))
        for p in app.peers.all()
    ]
    table(rows, "AE TITLE", "HOST", "PORT", "TLS", "TIMEOUT", "MAY")


@peer.command("remove")
@click.argument("aet")
@with_app
async def remove(app: App, aet: str) -> None:
    """Remove a remote AE."""
    await app.peers.remove(aet, by=operator())
    click.echo(f"removed {aet}")


@peer.command("echo")
@click.argument("aet")
@with_app
async def echo(app: App, aet: str) -> None:
    """Ask a remote AE whether it is there (C-ECHO)."""
    known = app.peers.get(aet)
    seconds = await echo_peer(app.settings, known)
    click.echo(f"{aet} at {known.host}:{known.port} answers in {seconds * 1000:.1f} ms")
