"""`charrua peer`: the remote AEs that this archive knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from charrua_core.app import App
from charrua_core.cli.people import row_filter_given, row_filter_shown
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
@click.option("--tls", type=click.Choice(["off", "encrypt", "require"]), help="How to call it.  [a new one: off]")
@click.option("--timeout", type=click.IntRange(1, 3600), help="Seconds to wait for it.  [a new one: 30]")
@click.option("--may", help=f"What it may do here.  [a new one: {' '.join(sorted(PEER_PERMISSIONS))}]")
@click.option(
    "--see",
    multiple=True,
    metavar="KEYWORD=VALUE",
    help="What it sees alone, as Modality=CR (repeatable); all: no filter.",
)
@click.option(
    "--certificate", help="SHA-256 fingerprint or subject that proves in TLS that it is this AE; any: its host does."
)
@click.option(
    "--character-set",
    metavar="TERMS",
    help="The only Specific Character Set that it reads, as ISO_IR 100; any: the one it asks in, or Unicode.",
)
@with_app
async def add(
    app: App,
    aet: str,
    host: str,
    port: int,
    tls: Any,
    timeout: int | None,
    may: str | None,
    see: tuple[str, ...],
    certificate: str | None,
    character_set: str | None,
) -> None:
    """Add a remote AE, or change the one of this AE title: what is not given stays as it is.

    What it may, it may from HOST alone (see verify_addresses); '*' lets it come from anywhere, and it is never called.
    """
    peer = replace(app.peers.find(aet) or Peer(check_aet(aet), host, port), host=host, port=port)
    permissions = peer.permissions if may is None else frozenset(may.replace(",", " ").split())
    peer = replace(
        peer, tls_mode=tls or peer.tls_mode, timeout_s=float(timeout or peer.timeout_s), permissions=permissions
    )
    if certificate is not None:
        peer = replace(peer, certificate=_certificate(certificate))
    if character_set is not None:
        peer = replace(peer, character_set="" if character_set == "any" else character_set)
    row_filter: dict[str, list[str]] | None = {} if see == ("all",) else row_filter_given(see)
    new = await app.peers.add(peer, by=operator(), row_filter=row_filter)
    click.echo(f"{'added' if new else 'changed'} {aet} at {host}:{port}")


def _certificate(given: str) -> str:
    """The certificate as a peer has it: a fingerprint also with colons, in capitals, and without `sha256:`."""
    digits = given.lower().removeprefix("sha256:").replace(":", "")
    if len(digits) == 64 and not set(digits) - set("0123456789abcdef"):
        return f"sha256:{digits}"
    return "" if given == "any" else given


@peer.command("list")
@with_app
async def list_peers(app: App) -> None:
    """List the remote AEs."""
    rows = [
        (
            p.aet,
            p.host,
            p.port,
            p.tls_mode,
            f"{p.timeout_s:g} s",
            " ".join(sorted(p.permissions)),
            _sees(app, p),
            p.certificate,
            p.character_set,
        )
        for p in app.peers.all()
    ]
    table(rows, "AE TITLE", "HOST", "PORT", "TLS", "TIMEOUT", "MAY", "SEES", "CERTIFICATE", "CHARACTER SET")


def _sees(app: App, peer: Peer) -> str:
    return " and ".join(row_filter_shown(dict(one.admits)) for one in app.peers.filters(peer.aet)) or "all"


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
