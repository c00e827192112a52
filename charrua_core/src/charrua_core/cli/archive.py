"""`charrua archive`: edits and their undoing, the index built anew, and whether index and volumes agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from charrua_core.app import App
from charrua_core.cli.running import operator, start_of, table, with_app
from charrua_core.types import Identity, Level, Origin

if TYPE_CHECKING:
    from charrua_core.archive.check.check import Check
    from charrua_core.archive.edit.record import Record
    from charrua_core.archive.regenerate.regenerate import Regeneration

_LEVEL = click.Choice(["study", "series", "image"])
_reason = click.option("--reason", default="", help="Why, for the history of the study.")
_study = click.option("--study", "study_uid", help="The study, where two studies have a series of this UID.")


@click.group()
def archive() -> None:
    """Stored studies: edits, merges, deletions, their undoing; the index and the volumes."""


def _operator() -> tuple[Identity, Origin]:
    """Who stands at the machine may do everything, and is named in the records."""
    name = operator()
    return Identity(name, "user", permissions=frozenset({"*"})), Origin("cli", user=name)


def _tell(record: Record) -> None:
    click.echo(f"{record.kind} {record.id}")


@archive.command("edit")
@click.argument("level", type=_LEVEL)
@click.argument("uid")
@click.argument("attributes", nargs=-1, required=True, metavar="KEYWORD=VALUE…")
@_study
@_reason
@with_app
async def edit_(
    app: App, level: str, uid: str, attributes: tuple[str, ...], study_uid: str | None, reason: str
) -> None:
    r"""Change attributes of a study, series or image, e.g. PatientName=Doe^Jane; KEYWORD- takes an attribute away.

    Values stand between backslashes, the groups of a person's name between equals signs.
    """
    from charrua_core.archive.edit import edit
    from charrua_core.archive.edit import values as edit_values

    identity, origin = _operator()
    values = edit_values.from_keywords(dict(_assignment(one) for one in attributes))
    _tell(await edit.edit(app, identity, _level(level), uid, values, study_uid=study_uid, reason=reason, origin=origin))


@archive.command("assign-study")
@click.argument("study_uid")
@click.argument("patient_id")
@click.option("--issuer", default="", help="Issuer of Patient ID.")
@click.option("--name", default="", help="Patient's Name, e.g. Doe^Jane.")
@click.option("--birth-date", default="", metavar="YYYYMMDD")
@click.option("--sex", type=click.Choice(["M", "F", "O", ""]), default="")
@_reason
@with_app
async def assign_study(
    app: App, study_uid: str, patient_id: str, issuer: str, name: str, birth_date: str, sex: str, reason: str
) -> None:
    """Make a study that of another patient."""
    from charrua_core.archive.edit import edit

    identity, origin = _operator()
    patient = edit.Patient(patient_id, issuer, name, birth_date, sex)
    _tell(await edit.assign_study(app, identity, study_uid, patient, reason=reason, origin=origin))


@archive.command("assign-series")
@click.argument("series_uid")
@click.argument("to_study_uid")
@_study
@_reason
@with_app
async def assign_series(app: App, series_uid: str, to_study_uid: str, study_uid: str | None, reason: str) -> None:
    """Move a series to another study."""
    from charrua_core.archive.edit import edit

    identity, origin = _operator()
    _tell(
        await edit.assign_series(
            app, identity, series_uid, to_study_uid, study_uid=study_uid, reason=reason, origin=origin
        )
    )


@archive.command("merge-studies")
@click.argument("from_study_uid")
@click.argument("into_study_uid")
@_reason
@with_app
async def merge_studies(app: App, from_study_uid: str, into_study_uid: str, reason: str) -> None:
    """Move all series of one study into another, and those that are still to come."""
    from charrua_core.archive.edit import edit

    identity, origin = _operator()
    _tell(await edit.merge_studies(app, identity, from_study_uid, into_study_uid, reason=reason, origin=origin))


@archive.command("merge-patients")
@click.argument("from_patient_id")
@click.argument("into_patient_id")
@click.option("--from-issuer", default="")
@click.option("--into-issuer", default="")
@_reason
@with_app
async def merge_patients(
    app: App, from_patient_id: str, into_patient_id: str, from_issuer: str, into_issuer: str, reason: str
) -> None:
    """Make all studies of one patient those of another one who has studies here."""
    from charrua_core.archive.edit import edit

    identity, origin = _operator()
    into = await edit.known_patient(app, into_patient_id, into_issuer)
    former = (from_patient_id, from_issuer)
    _tell(await edit.merge_patients(app, identity, former, into, reason=reason, origin=origin))


@archive.command("delete")
@click.argument("level", type=_LEVEL)
@click.argument("uid")
@_study
@_reason
@with_app
async def delete(app: App, level: str, uid: str, study_uid: str | None, reason: str) -> None:
    """Delete a study, series or image; it can be undone for as long as the setting undo_days says."""
    from charrua_core.archive import remove

    identity, origin = _operator()
    _tell(await remove.delete(app, identity, _level(level), uid, study_uid=study_uid, reason=reason, origin=origin))


@archive.command("status")
@click.argument("study_uid")
@click.argument("status")
@_reason
@with_app
async def status_(app: App, study_uid: str, status: str, reason: str) -> None:
    """Say how far the reading of a study is: UNREAD, PRELIMINARY, DICTATED, TRANSCRIBED or FINAL."""
    from charrua_core.archive.edit.status import set_status

    identity, origin = _operator()
    _tell(await set_status(app, identity, study_uid, status.upper(), reason=reason, origin=origin))


@archive.command("undo")
@click.argument("edit_id")
@_reason
@with_app
async def undo(app: App, edit_id: str, reason: str) -> None:
    """Take an edit, a merge or a deletion back."""
    from charrua_core.archive.edit import undo as edit_undo

    identity, origin = _operator()
    _tell(await edit_undo.undo(app, identity, edit_id, reason=reason, origin=origin))


@archive.command("history")
@click.argument("study_uid")
@with_app
async def history(app: App, study_uid: str) -> None:
    """List what was done to a study."""
    from charrua_core.archive.edit import undo as edit_undo

    records = await edit_undo.history(app, _operator()[0], study_uid)
    rows = [
        (
            f"{one.made_at:%Y-%m-%d %H:%M:%S}",
            one.kind,
            "undone" if one.undone_by else "",
            one.id,
            one.made_by,
            one.reason,
        )
        for one in records
    ]
    table(rows, "AT (UTC)", "WHAT", "", "NUMBER", "BY", "REASON")


@archive.command("send")
@click.argument("study_uid")
@click.argument("aet")
@with_app
async def send(app: App, study_uid: str, aet: str) -> None:
    """Have the server send a study to a remote AE."""
    from charrua_core.sending import send_study

    identity, origin = _operator()
    job = await send_study(app, identity, study_uid, aet, origin=origin)
    click.echo("it waits to be sent already" if job is None else f"job {job}")


@archive.command("dump")
@with_app
async def dump(app: App) -> None:
    """Print the index, the same for the same archive, as JSON lines."""
    from charrua_core.archive.index.dump import dump as lines

    async for line in lines(app.db):
        sys.stdout.buffer.write(line)


@archive.command("regenerate")
@click.option("--force", is_flag=True, help="Also while a server runs in this data folder.")
@click.option(
    "--volume",
    "volumes",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A further volume, that a new database does not know of (repeatable).",
)
def regenerate(force: bool, volumes: tuple[Path, ...]) -> None:
    """Build the index anew from the volumes: their files and their journals of edits.

    Stop the server before. A run that was broken off is gone on with.
    """
    from charrua_core.services.lock import ServerLock

    if force:
        _regenerate(volumes)
        return
    start = start_of()
    with ServerLock(Path(start.settings(start.hooks())["data_dir"])):
        _regenerate(volumes)


@with_app
async def _regenerate(app: App, volumes: tuple[Path, ...]) -> None:
    from charrua_core.archive.regenerate import regenerate as room

    for root in volumes:
        await app.volumes.know(root.absolute())
    bar = _Line()
    done = await room.regenerate(app, lambda so_far: bar.show(_rate(so_far)))
    bar.show(_rate(done), final=True)
    for unread in done.unreadable:
        click.echo(f"unreadable {unread.path}: {unread.reason}")
    for path in done.duplicates:
        click.echo(f"copy {path}: left out")
    for damage in done.damaged:
        click.echo(f"journal {damage.path.name}, line {damage.number}: no record, left out")


def _rate(done: Regeneration) -> str:
    seconds = max(done.seconds, 0.001)
    rates = f"{done.objects / seconds:.0f} objects/s, {done.size_bytes / seconds / 1e6:.0f} MB/s"
    return f"{done.objects} objects of {done.files} files, {done.studies} studies, {done.edits} edits ({rates})"


@archive.command("check")
@click.option("--quick", is_flag=True, help="Compare sizes only; read no file.")
@click.option("--remove-strays", is_flag=True, help="Remove the files that no object of the index speaks of.")
@click.option("--adopt-strays", is_flag=True, help="Take those files into the index.")
@click.option("--grace", default=5.0, show_default=True, help="Seconds before what looks wrong is looked at again.")
@with_app
async def check(app: App, quick: bool, remove_strays: bool, adopt_strays: bool, grace: float) -> None:
    """Compare index and volumes: missing, damaged and stray files. Status 1 if there is anything that is not put right."""
    from charrua_core.archive.check import check as room
    from charrua_core.archive.check import strays

    bar = _Line()
    done = await room.check(app, quick=quick, grace_s=grace, progress=lambda so_far: bar.show(_progress(so_far)))
    bar.show(_progress(done), final=True)
    table([(one.kind, app.volumes.by_id(one.volume_id).root, one.path, one.detail) for one in done.findings], *_HEAD)
    adopted = await strays.adopt_strays(app, done.findings) if adopt_strays else []
    left = [one for one in done.findings if one not in adopted]
    removed = await strays.remove_strays(app, left) if remove_strays else []
    for what, found in (("adopted", adopted), ("removed", removed)):
        if found:
            click.echo(f"{len(found)} {what}")
    if len(left) > len(removed):
        raise click.exceptions.Exit(1)


_HEAD = ("WHAT", "VOLUME", "FILE", "WHY")


def _progress(done: Check) -> str:
    seconds = max(done.seconds, 0.001)
    rate = f", {done.size_bytes / seconds / 1e6:.0f} MB/s" if done.seconds and done.size_bytes else ""
    return f"{done.objects} objects, {done.files} files, {len(done.findings)} findings{rate}"


class _Line:
    """A line of progress on standard error, written over and over where that is a terminal."""

    def show(self, text: str, *, final: bool = False) -> None:
        """Show the text; the final one stays, and is all that a file gets."""
        if sys.stderr.isatty():
            click.echo(f"\r{text}\x1b[K", err=True, nl=final)
        elif final:
            click.echo(text, err=True)


def _level(name: str) -> Level:
    return Level(name.upper())


def _assignment(text: str) -> tuple[str, str | None]:
    keyword, equals, value = text.partition("=")
    if not equals and text.endswith("-"):
        return text[:-1], None
    if not equals:
        raise click.UsageError(f"{text}: write KEYWORD=VALUE, or KEYWORD- to take the attribute away")
    return keyword, value
