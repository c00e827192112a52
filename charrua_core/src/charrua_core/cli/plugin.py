"""`charrua plugin new`: a package of a plugin, with a hook, a setting and a test that passes, to begin from."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import click

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


def make_plugin(name: str, folder: Path) -> None:
    """Write the package's files into the folder."""
    words = {"name": name, "distribution": name.replace("_", "-")}
    templates = files("charrua_core.cli") / "template"
    for path, template in FILES.items():
        target = folder / Template(path).substitute(words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template((templates / template).read_text("utf-8")).substitute(words), "utf-8")
