"""A vendor makes a plugin from the template, and the package passes its own test where it is installed."""

from __future__ import annotations

import asyncio
import os
import sys
import tomllib
from pathlib import Path

from click.testing import CliRunner

from charrua_core.cli.plugin import plugin
from charrua_core.testing.database import TestServer


def made(folder: Path, name: str) -> Path:
    """A new plugin's package."""
    result = CliRunner().invoke(plugin, ["new", name, "--into", str(folder)])
    assert result.exit_code == 0, result.output
    return folder / name


def installed(package: Path, into: Path) -> str:
    """The package as an installer leaves it; gives the search path for modules."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = into / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {module}" for name, module in project["entry-points"]["charrua"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[charrua]", *lines]))
    return os.pathsep.join([str(into), str(package / "src")])


async def test_a_new_plugin_passes_its_own_test(tmp_path: Path, postgresql_server: TestServer) -> None:
    package = made(tmp_path, "acme_router")
    path = installed(package, tmp_path / "site")
    pytest = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        cwd=package,
        env={**os.environ, "PYTHONPATH": path, "CHARRUA_TEST_DATABASE_URL": postgresql_server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await pytest.communicate()
    assert pytest.returncode == 0, output.decode()
    assert b"2 passed" in output


def test_a_plugin_is_not_made_over_another_or_under_a_bad_name(tmp_path: Path) -> None:
    made(tmp_path, "acme")
    for name in ("acme", "Acme", "../acme", "acme-router", "1acme"):
        result = CliRunner().invoke(plugin, ["new", name, "--into", str(tmp_path)])
        assert result.exit_code == 2, name
