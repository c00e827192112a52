"""What a process of Charrua is started with: environment, plugins to leave out, modules to take as plugins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from charrua_core.errors import SettingInvalid
from charrua_core.hooks import Hooks
from charrua_core.settings import Setting, Settings

PROCESS = "CHARRUA_PROCESS"
"""The variable that names a worker process."""


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a process. `env` is the environment; `without` and `plugins` as `Hooks` takes them."""

    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    without: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, without: Iterable[str] = ()) -> Start:
        """Give the start that the environment describes: `CHARRUA_WITHOUT` and `CHARRUA_PLUGINS` are words with blanks."""
        env = dict(os.environ) if env is None else dict(env)
        blocked = (*env.get("CHARRUA_WITHOUT", "").replace(",", " ").split(), *without)
        return cls(env, blocked, tuple(env.get("CHARRUA_PLUGINS", "").replace(",", " ").split()))

    @property
    def process(self) -> str:
        """The process among those of the archive: `main`, or `worker-` and its number."""
        return self.env.get(PROCESS, "main")

    def hooks(self) -> Hooks:
        """Load the plugins; PluginFailed names the one that cannot be."""
        return Hooks(self.without, self.plugins)

    def settings(self, hooks: Hooks) -> Settings:
        """Read environment and file; SettingInvalid names the setting."""
        return Settings.load(hooks.gather_of(Setting, "settings"), self.env, allow_unknown=bool(self.without))

    def data_dir(self, settings: Settings) -> Path:
        """Give the data folder, made for its owner alone where it is not there; SettingInvalid if that cannot be."""
        folder: Path = settings["data_dir"].absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SettingInvalid(f"data_dir {folder} cannot be made: {error.strerror}") from error
        if not os.access(folder, os.W_OK):
            raise SettingInvalid(f"data_dir {folder} cannot be written by this user")
        return folder

    def environment(self) -> dict[str, str]:
        """Give the environment with which another process starts alike."""
        return {**self.env, "CHARRUA_WITHOUT": " ".join(self.without), "CHARRUA_PLUGINS": " ".join(self.plugins)}
