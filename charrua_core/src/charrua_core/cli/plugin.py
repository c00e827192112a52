"""`charrua plugin new`: a package of a plugin, with a hook, a setting and a test that passes, to begin from.

`charrua plugin again`: another try for what a plugin has failed at.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from charrua_core.app import App
from charrua_core.changes import tell_again
from charrua_core.cli.running import with_app

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")

FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "src/$name/__init__.py": "plugin.py.txt",
    "tests/test_$name.py": "test_plugin.py.txt",
}
"""Path in the new package → template."""


@click.group()
def plugin() -> None:
    """Plugins of your own."""


@plugin.command("new")
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path), default=Path(), help="Folder that gets the package's folder.")
def new(name: str, into: Path) -> None:
    """Make the package of a plugin: pyproject.toml, one hook, a test and a README, in a folder of its name."""
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"{name!r} is no name for a plugin: use small letters, digits and single _")
    folder = into / name
    if folder.exists():
        raise click.UsageError(f"{folder} is there already")
    make_plugin(name, folder)
    click.echo(f"made {folder}; its README.md says what comes next")


@plugin.command("again")
@click.argument("name")
@click.argument("changes", nargs=-1, type=int)
@with_app
async def again(app: App, name: str, changes: tuple[int, ...]) -> None:
    """Tell a plugin once more the changes that were set aside because it failed: all, or those of these numbers.

    The name is that of plugin and hook, as vendor.on_object_stored: `charrua plugins` lists them. core.routes stands for the
    routes of all plugins.
    """
    told = await tell_again(app.db, name, changes or None)
    if not told:
        raise click.ClickException(f"nothing like that is set aside for {name}")
    click.echo(f"{name} is told {told} once more")


def make_plugin(name: str, folder: Path) -> None:
    """Write the package's files into the folder."""
    words = {"name": name, "distribution": name.replace("_", "-")}
    templates = files("charrua_core.cli") / "template"
    for path, template in FILES.items():
        target = folder / Template(path).substitute(words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template((templates / template).read_text("utf-8")).substitute(words), "utf-8")
