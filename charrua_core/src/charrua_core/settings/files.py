"""`charrua.toml`: where it lies, and what it says."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from charrua_core.errors import SettingInvalid
from charrua_core.settings.declaration import Setting


def config_path(env: Mapping[str, str], data_dir: Path) -> Path | None:
    """Give the configuration file: the one that `CHARRUA_CONFIG` names, else `charrua.toml` in the data folder if there."""
    named = env.get("CHARRUA_CONFIG")
    if named:
        return Path(named).expanduser()
    beside_data = data_dir / "charrua.toml"
    return beside_data if beside_data.exists() else None


def read_config(path: Path, declarations: Iterable[Setting]) -> dict[str, Any]:
    """Read the file; SettingInvalid says what of it cannot be used.

    A file that holds a secret must not be readable by everybody on the machine.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingInvalid(f"{path} is not TOML: {error}") from error
    secrets = sorted({setting.name for setting in declarations if setting.secret} & given.keys())
    if secrets and path.stat().st_mode & stat.S_IROTH:
        raise SettingInvalid(
            f"{path} holds {', '.join(secrets)} and everybody on this machine can read it: run chmod 600 {path}"
        )
    return given
