"""What core itself gives to its hooks; each imports what it needs inside the function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from charrua_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from charrua_core.app import App
    from charrua_core.imaging.codecs import Codec
    from charrua_core.jobs import JobType
    from charrua_core.metrics import Read
    from charrua_core.sending import DestinationKind
    from charrua_core.services import Service
    from charrua_core.settings import Setting
    from charrua_core.types import Finding, Identity, Refuse


@hookimpl
def settings() -> Sequence[Setting]:
    """Declare core's own settings."""
    from charrua_core import db, sending, storage
    from charrua_core.archive import search
    from charrua_core.imaging import archiving, cache, workers
    from charrua_core.settings.core import SETTINGS

    rooms = (db, storage, search, workers, cache, archiving, sending)
    return [*SETTINGS, *(setting for room in rooms for setting in room.SETTINGS)]


@hookimpl
def migrations() -> Sequence[str]:
    """Name the lineage of schema core."""
    return ["charrua_core.migrations"]


@hookimpl
def services(app: App) -> Sequence[Service]:
    """Give the listener, the followers of the change feed and the workers of the jobs."""
    from charrua_core.services.core import core_services

    return core_services(app)


@hookimpl
def job_types(app: App) -> Sequence[JobType]:
    """Give core's own jobs: sending, transcoding, checking, and removing what was deleted or replaced."""
    from charrua_core.archive.check.job import check_job
    from charrua_core.archive.index.replace_file import discard_job
    from charrua_core.archive.remove import purge_job
    from charrua_core.imaging.archiving import transcode_job
    from charrua_core.sending import send_job

    return [send_job(app), purge_job(app), transcode_job(app), discard_job(app), check_job(app)]


@hookimpl
def destinations() -> Sequence[DestinationKind]:
    """Give the kind that the peers are."""
    from charrua_core.sending.to_peers import peer_kind

    return [peer_kind()]


@hookimpl
def cli_commands() -> Sequence[click.Command]:
    """Give core's commands."""
    from charrua_core.cli.commands import OWN, own

    return [own(name) for name in OWN]


@hookimpl
async def auth_provider(app: App, credentials: dict[str, Any]) -> Identity | Refuse | None:
    """Know the archive's own accounts and tokens."""
    return await app.accounts.local(credentials)


@hookimpl
async def health(app: App) -> Sequence[Finding]:
    """Tell of database, volumes, listener, followers, jobs, and plugins that take too long."""
    from charrua_core.services.checks import core_findings

    return await core_findings(app)


@hookimpl
async def metrics(app: App) -> Sequence[Read]:
    """Read jobs, followers, volumes and the size of the index."""
    from charrua_core.services.readings import core_readings

    return await core_readings(app)


@hookimpl
def decode_frame() -> Sequence[Codec]:
    """Give core's own decoders."""
    from charrua_core.imaging.codecs import DECODERS

    return DECODERS


@hookimpl
def encode_frame() -> Sequence[Codec]:
    """Give core's own encoders."""
    from charrua_core.imaging.codecs import ENCODERS

    return ENCODERS
