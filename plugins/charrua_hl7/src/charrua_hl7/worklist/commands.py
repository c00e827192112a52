"""`charrua worklist`. Imported at every call of `charrua`: what a command needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrua_core.cli.running import operator, table, with_app

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from charrua_core.app import App
    from charrua_core.audit import Action
    from charrua_hl7.worklist.entries import Entry

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
STATUSES = ("SCHEDULED", "ARRIVED", "READY", "STARTED", "COMPLETED", "DISCONTINUED")
ENTRY = click.IntRange(1, (1 << 63) - 1)


@click.group()
def worklist() -> None:
    """What is scheduled: the entries that modalities ask for."""


@worklist.command("import")
@click.argument("files", nargs=-1, required=True, type=FILE)
@with_app
async def import_files(app: App, files: tuple[Path, ...]) -> None:
    """Add the entries of worklist files (*.wl), or bring those that are there to what the files say.

    What is no worklist file is told, and the others are added.
    """
    from charrua_core.errors import HeaderDamaged
    from charrua_hl7.worklist.files import import_entry, read_entry

    imported = 0
    for path in files:
        try:
            attributes = read_entry(path)
        except HeaderDamaged as error:
            click.echo(f"{path}: {error}", err=True)
            continue
        async with app.db.transaction() as tx:
            one = await import_entry(app, tx, attributes)
            await _record(tx, "C" if one.version == 1 else "U", one)
        imported += 1
    click.echo(f"imported {imported} of {len(files)}")
    if imported < len(files):
        raise click.exceptions.Exit(1)


@worklist.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Those of this status.  [those that may be performed]")
@click.option("--modality", help="Those of this modality.")
@click.option("--station", help="Those of this Scheduled Station AE Title.")
@click.option("--date", help="Those that start on this day, or in this range, as 20260131 or 20260101-20260131.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many.")
@with_app
async def list_entries(app: App, /, limit: int, **asked: str | None) -> None:
    """List entries by their start."""
    from contextlib import aclosing

    from charrua_core.types import Identity
    from charrua_hl7.worklist.searching import Search, matching

    search, rows = Search(_keys(asked)), list[tuple[Any, ...]]()
    async with app.db.reading() as connection, aclosing(matching(connection, search, Identity("", "system"))) as found:
        async for one in found:
            rows.append(_row(one))
            if len(rows) == limit:
                break
    table(rows, "ENTRY", "STATUS", "START", "MODALITY", "STATIONS", "ACCESSION", "PATIENT ID", "PATIENT")


def _keys(asked: dict[str, str | None]) -> dict[str, Any]:
    """The options as keys of a C-FIND."""
    from charrua_core.archive.index.levels import tag_of
    from charrua_hl7.worklist.entries import START_DATE, STATUS, STEP
    from charrua_hl7.worklist.searching import keys_of

    of = {
        "status": (STATUS, "CS"),
        "date": (START_DATE, "DA"),
        "modality": (tag_of("Modality"), "CS"),
        "station": (tag_of("ScheduledStationAETitle"), "AE"),
    }
    step = {of[name][0]: {"vr": of[name][1], "Value": [value]} for name, value in asked.items() if value}
    return keys_of({STEP: {"vr": "SQ", "Value": [step]}})


def _row(one: Entry) -> tuple[Any, ...]:
    from charrua_core.archive.index.levels import tag_of
    from charrua_hl7.worklist.entries import start_of, value

    start = start_of(one.step)
    stations = " ".join(map(str, one.step.get(tag_of("ScheduledStationAETitle"), {}).get("Value", ())))
    told = [value(one.attributes, tag_of(keyword)) for keyword in ("AccessionNumber", "PatientID", "PatientName")]
    moment = f"{start[:4]}-{start[4:6]}-{start[6:8]} {start[8:10]}:{start[10:12]}" if start else ""
    return (one.id, one.status, moment, value(one.step, tag_of("Modality")), stations, *told)


@worklist.command()
@click.argument("entry", type=ENTRY)
@with_app
async def show(app: App, entry: int) -> None:
    """Print what Modality Worklist tells of an entry, in the DICOM JSON Model."""
    import orjson

    from charrua_hl7.worklist.entries import locked

    async with app.db.transaction() as tx:
        found = await locked(tx, [entry])
        if not found:
            raise click.ClickException(f"there is no entry {entry}")
        await _record(tx, "R", found[0])
    click.echo(orjson.dumps(found[0].attributes, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode())


@worklist.command()
@click.argument("entry", type=ENTRY)
@with_app
async def discontinue(app: App, entry: int) -> None:
    """Have nobody perform an entry: modalities are told it no more."""
    from charrua_hl7.worklist.entries import Status, set_status

    async with app.db.transaction() as tx:
        changed = await set_status(app, tx, [entry], Status.DISCONTINUED, "by hand")
        if not changed:
            raise click.ClickException(f"there is no entry {entry} that may still be performed")
        await _record(tx, "D", changed[0], status=str(Status.DISCONTINUED))
    click.echo(f"entry {entry} is DISCONTINUED")


async def _record(tx: AsyncConnection, action: Action, one: Entry, **detail: Any) -> None:
    from charrua_core import audit
    from charrua_core.archive.index.levels import STUDY_INSTANCE_UID
    from charrua_core.types import Origin
    from charrua_hl7.worklist.entries import value

    uids = [uid] if (uid := value(one.attributes, STUDY_INSTANCE_UID)) else []
    origin = Origin("cli", user=operator())
    await audit.record(
        tx, audit.Event.ORDER_RECORD, action, operator(), origin, study_uids=uids, entry=one.id, **detail
    )
