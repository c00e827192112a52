"""`charrua routing`. Imported at every call of `charrua`: what a command needs is imported when it runs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from charrua_core.cli.running import operator, table, with_app

if TYPE_CHECKING:
    from charrua_core.app import App
    from charrua_routing.rule import Rule
    from charrua_routing.rules import Who

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"])


@click.group()
def routing() -> None:
    """Rules that say which object goes where, and the queue of sendings."""


def _who() -> Who:
    from charrua_core.types import Identity, Origin
    from charrua_routing.rules import Who

    return Who(Identity(operator(), "user", permissions=frozenset({"*"})), Origin("cli", user=operator()))


@routing.command("list")
@with_app
async def list_rules(app: App) -> None:
    """List the rules in the order in which they are applied."""
    from charrua_routing import rules

    rows = []
    for rule in await rules.understood(app):
        conditions = "; ".join(f"{one.what} {one.wanted}" for one in rule.conditions) or "everything"
        state = ("on" if rule.enabled else "off", "stop" if rule.stops else "")
        rows.append((rule.number, rule.order, rule.name, *state, rule.level, conditions, " ".join(rule.destinations)))
    table(rows, "RULE", "ORDER", "NAME", "STATE", "THEN", "LEVEL", "WHEN", "DESTINATIONS")


@routing.command()
@click.argument("rule")
@click.option("--version", type=click.IntRange(1), help="An earlier version.  [the present one]")
@with_app
async def show(app: App, rule: str, version: int | None) -> None:
    """Print a rule, by its number or name, as JSON: `set` takes it again."""
    from charrua_routing import rules
    from charrua_routing.errors import RuleNotFound

    kept = None if version and rule.isdigit() else await rules.find(app, rule)
    if version:
        number = kept.number if kept else int(rule)
        kept = next((one for one in await rules.versions(app, number) if one.version == version), None)
    if kept is None:
        raise RuleNotFound(f"rule {rule} has no version {version}")
    click.echo(_pretty(dict(kept.document)))


@routing.command()
@click.argument("file", type=FILE, required=False)
@click.option("--name", help="The rule's name.")
@click.option("--destination", multiple=True, help="Where it sends (repeatable).")
@click.option("--from", "calling", multiple=True, help="AE titles that the objects come from (repeatable).")
@click.option("--modality", multiple=True, help="Their modalities (repeatable).")
@click.option(
    "--when", multiple=True, metavar="CONDITION", help="As 'BodyPartExamined=HEAD*' or 'Rows>=512' (repeatable)."
)
@click.option("--level", help="object, series or study.")
@click.option("--send-as", type=int, help="Transfer syntax, 0 to 6.")
@with_app
async def add(
    app: App,
    file: Path | None,
    name: str | None,
    destination: tuple[str, ...],
    calling: tuple[str, ...],
    modality: tuple[str, ...],
    when: tuple[str, ...],
    level: str | None,
    send_as: int | None,
) -> None:
    """Add the rule, or the rules, of a TOML or JSON file; or one made of options."""
    from charrua_routing import rules
    from charrua_routing.files import condition_of, documents

    given: dict[str, Any] = {"name": name, "destinations": list(destination), "level": level, "send_as": send_as}
    attributes = [condition_of(one) for one in when]
    conditions = {"from": list(calling), "modality": list(modality), "attributes": attributes}
    given = {field: value for field, value in given.items() if value is not None}
    listed = (
        documents(file) if file else [{**given, "when": {field: value for field, value in conditions.items() if value}}]
    )
    for document in listed:
        kept = await rules.add(app, _who(), document)
        click.echo(f"added rule {kept.number} {kept.rule.name}")


@routing.command("set")
@click.argument("rule")
@click.argument("file", type=FILE)
@click.option("--version", type=click.IntRange(1), help="Only if the rule is still at this version.")
@with_app
async def set_rule(app: App, rule: str, file: Path, version: int | None) -> None:
    """Put the rule of a TOML or JSON file in the place of one, by its number or name."""
    from charrua_routing import rules
    from charrua_routing.files import one_document

    kept = await rules.find(app, rule)
    changed = await rules.change(app, _who(), kept.number, version or kept.version, one_document(file))
    click.echo(f"changed rule {changed.number}, now at version {changed.version}")


async def _switch(app: App, rule: str, enabled: bool) -> None:
    from charrua_routing import rules

    kept = await rules.find(app, rule)
    document = {**kept.document, "enabled": enabled}
    changed = await rules.change(app, _who(), kept.number, kept.version, document)
    click.echo(f"rule {changed.number} is {'on' if enabled else 'off'}, version {changed.version}")


@routing.command()
@click.argument("rule")
@with_app
async def enable(app: App, rule: str) -> None:
    """Switch a rule on."""
    await _switch(app, rule, True)


@routing.command()
@click.argument("rule")
@with_app
async def disable(app: App, rule: str) -> None:
    """Switch a rule off; it stays."""
    await _switch(app, rule, False)


@routing.command()
@click.argument("rule")
@with_app
async def remove(app: App, rule: str) -> None:
    """Remove a rule; `restore` brings it back."""
    from charrua_routing import rules

    kept = await rules.find(app, rule)
    await rules.remove(app, _who(), kept.number, kept.version)
    click.echo(f"removed rule {kept.number}")


@routing.command("versions")
@click.argument("number", type=click.IntRange(1))
@with_app
async def list_versions(app: App, number: int) -> None:
    """List the versions of a rule, who made them and when; of one that was removed as well."""
    from charrua_routing import rules

    rows = [
        (
            one.version,
            one.changed_by,
            f"{one.changed_at:%Y-%m-%d %H:%M:%S}",
            "removed" if one.removed else one.rule.name,
        )
        for one in await rules.versions(app, number)
    ]
    table(rows, "VERSION", "BY", "AT (UTC)", "NAME")


@routing.command()
@click.argument("number", type=click.IntRange(1))
@click.argument("version", type=click.IntRange(1))
@with_app
async def restore(app: App, number: int, version: int) -> None:
    """Make a version of before the present one."""
    from charrua_routing import rules

    kept = await rules.restore(app, _who(), number, version)
    click.echo(f"rule {kept.number} is as in version {version}, now version {kept.version}")


async def _rules(app: App, file: Path | None) -> list[Rule]:
    from charrua_routing import rules
    from charrua_routing.files import documents
    from charrua_routing.rule import read_rules

    return read_rules(documents(file)) if file else await rules.understood(app)


@routing.command()
@click.argument("sop_instance_uid", required=False)
@click.option("--file", type=FILE, help="A DICOM file, as if it had just come.")
@click.option("--from", "calling", default="", help="With --file: the AE title that it comes from.")
@click.option("--to", "called", default="", help="With --file: the AE title that it is sent to.")
@click.option("--at", type=MOMENT, help="With --file: when it comes, by the clock of this place.  [now]")
@click.option("--rules", "edited", type=FILE, help="Rules of a TOML or JSON file in place of those in force.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_app
async def explain(
    app: App,
    sop_instance_uid: str | None,
    file: Path | None,
    calling: str,
    called: str,
    at: datetime | None,
    edited: Path | None,
    as_json: bool,
) -> None:
    """Tell what would happen to an object: which rules take it, and which condition of the others fails."""
    from charrua_core.types import SYSTEM
    from charrua_routing import explaining, facts

    if (sop_instance_uid is None) == (file is None):
        raise click.UsageError("name a SOP Instance UID, or a --file")
    if file:
        moment = (at or datetime.now()).astimezone()
        found = explaining.facts_of_file(
            app, file, calling=calling, called=called or app.settings["dicom_aet"], at=moment
        )
    else:
        found = await facts.one(app, SYSTEM, str(sop_instance_uid))
    told = await explaining.explain(app, found, await _rules(app, edited))
    click.echo(_pretty(told) if as_json else "\n".join(explaining.in_words(told)))


@routing.command()
@click.option("--since", type=MOMENT, required=True, help="From when on the objects came, by the clock of this place.")
@click.option("--until", type=MOMENT, help="Up to when.  [now]")
@click.option(
    "--rules", "edited", type=FILE, required=True, help="The edited rules: a TOML or JSON file, as `export` gives."
)
@click.option("--most", type=click.IntRange(1, 100_000), default=10_000, show_default=True, help="Objects looked at.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_app
async def replay(app: App, since: datetime, until: datetime | None, edited: Path, most: int, as_json: bool) -> None:
    """Try edited rules on objects of the past, and show what would go elsewhere. Nothing is sent."""
    from charrua_core.types import SYSTEM
    from charrua_routing.replaying import replay

    times = (since.astimezone(), (until or datetime.now()).astimezone())
    told = await replay(app, SYSTEM, await _rules(app, None), await _rules(app, edited), *times, most)
    if as_json:
        return click.echo(_pretty(told))
    more = ", more were left out" if told["cut"] else ""
    click.echo(f"{told['objects']} objects looked at{more}; {told['differ']} would go elsewhere")
    for name, number in sorted(told["taken"].items()):
        click.echo(f"rule {name} takes {number}")
    table(
        [
            (name, told["gained"].get(name, 0), told["lost"].get(name, 0))
            for name in sorted({*told["gained"], *told["lost"]})
        ],
        "DESTINATION",
        "MORE",
        "FEWER",
    )
    table(
        [(one["sop_instance_uid"], " ".join(one["before"]), " ".join(one["after"])) for one in told["differences"]],
        "OBJECT",
        "BEFORE",
        "AFTER",
    )
    return None


@routing.command()
@with_app
async def export(app: App) -> None:
    """Print all rules as JSON, for `add`, `replay` and `explain --rules`."""
    from charrua_routing import rules

    click.echo(_pretty({"rule": [dict(kept.document) for kept in await rules.every(app)]}))


def _pretty(value: Any) -> str:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
