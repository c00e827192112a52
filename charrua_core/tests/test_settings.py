"""Settings: typed, from four sources, with errors that name the setting and the source."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from charrua_core import tables
from charrua_core.db import Database
from charrua_core.errors import SettingInvalid
from charrua_core.settings import CHANNEL, Setting, Settings, Source, config_path
from charrua_core.settings.core import SETTINGS


def declare(kind: Any, default: Any = None, **details: Any) -> Setting:
    return Setting("night_value", kind, default, help="A value.", since="0.1", **details)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (bool, "on", True),
        (bool, "FALSE", False),
        (bool, True, True),
        (int, " 12 ", 12),
        (float, "0.5", 0.5),
        (str, " CT1 ", "CT1"),
        (Path, "/srv/images", Path("/srv/images")),
        (timedelta, "5 min", timedelta(minutes=5)),
        (timedelta, "250ms", timedelta(milliseconds=250)),
        (timedelta, 30, timedelta(seconds=30)),
        (tuple, "echo, store", ("echo", "store")),
    ],
)
def test_a_value_is_read_by_its_type(kind: Any, given: Any, value: Any) -> None:
    setting = declare(kind)
    assert setting.parse(given, "a test") == value
    assert setting.parse(setting.plain(value), "a test") == value


@pytest.mark.parametrize(
    ("setting", "given", "told"),
    [
        (declare(bool), "perhaps", "on or off"),
        (declare(int), "1.5", "whole number"),
        (declare(int), True, "whole number"),
        (declare(int, minimum=1, unit="processes"), "0", "at least 1 processes"),
        (declare(float), "nan", "a number"),
        (declare(timedelta), "soon", "duration"),
        (declare(timedelta, maximum=60), "2 min", "at most 60 s"),
        (declare(str, choices=("off", "encrypt")), "ssl", "one of off, encrypt"),
        (declare(tuple, choices=("echo", "store")), "echo delete", "one of echo, store"),
        (declare(str), 5, "text"),
        (declare(str, pattern="[A-Z]{1,4}", unit="1 to 4 capitals"), "Night", "1 to 4 capitals"),
    ],
)
def test_an_impossible_value_is_refused_with_the_reason(setting: Setting, given: Any, told: str) -> None:
    with pytest.raises(SettingInvalid, match=told) as refusal:
        setting.parse(given, "the place it came from")
    assert "night_value" in str(refusal.value)
    assert "the place it came from" in str(refusal.value)


def test_a_secret_is_shown_neither_in_an_error_nor_in_a_listing() -> None:
    secret = declare(int, secret=True)
    with pytest.raises(SettingInvalid) as refusal:
        secret.parse("hunter2", "a test")
    assert "hunter2" not in str(refusal.value)
    assert "7" not in secret.show(7)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default() -> None:
    assert Settings.load(SETTINGS, {}, {})["dicom_port"] == 11112
    assert Settings.load(SETTINGS, {}, {"dicom_port": 104})["dicom_port"] == 104
    assert Settings.load(SETTINGS, {"CHARRUA_DICOM_PORT": "4242"}, {"dicom_port": 104})["dicom_port"] == 4242


def test_the_file_is_found_in_the_data_folder_and_where_the_environment_says(tmp_path: Path) -> None:
    (tmp_path / "charrua.toml").write_text('dicom_aet = "NORTE"\n')
    assert Settings.load(SETTINGS, {"CHARRUA_DATA_DIR": str(tmp_path)})["dicom_aet"] == "NORTE"
    assert Settings.load(SETTINGS, {"CHARRUA_CONFIG": str(tmp_path / "charrua.toml")})["dicom_aet"] == "NORTE"


def test_a_name_in_the_file_that_nobody_declared_is_an_error_unless_plugins_are_left_out() -> None:
    with pytest.raises(SettingInvalid, match="dicom_prot"):
        Settings.load(SETTINGS, {}, {"dicom_prot": 104})
    assert Settings.load(SETTINGS, {}, {"dicom_prot": 104}, allow_unknown=True)["dicom_port"] == 11112


def test_a_file_with_a_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "charrua.toml"
    config.write_text('database_url = "postgresql://charrua:geheim@db/charrua"\n')
    config.chmod(0o644)
    with pytest.raises(SettingInvalid, match="chmod 600") as refusal:
        Settings.load(SETTINGS, {"CHARRUA_DATA_DIR": str(tmp_path)})
    assert "geheim" not in str(refusal.value)
    config.chmod(0o600)
    assert "geheim" in Settings.load(SETTINGS, {"CHARRUA_DATA_DIR": str(tmp_path)})["database_url"]


@pytest.mark.parametrize("content", ["dicom_port = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_an_error_that_names_it(tmp_path: Path, content: str | bytes) -> None:
    config = tmp_path / "charrua.toml"
    config.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingInvalid, match=r"charrua\.toml"):
        Settings.load(SETTINGS, {"CHARRUA_CONFIG": str(config)})


def test_two_plugins_cannot_declare_one_setting() -> None:
    with pytest.raises(SettingInvalid, match="two plugins declare"):
        Settings.load([declare(int), declare(str)], {}, {})


@pytest.mark.parametrize("name", ["Night", "night-value", "_night", "night__value", ""])
def test_a_setting_is_named_in_snake_case(name: str) -> None:
    with pytest.raises(SettingInvalid, match="cannot be named"):
        Setting(name, int, 1, help="A value.", since="0.1")


# -- kept in the database ------------------------------------------------------------------------------------------------------
async def put(db: Database, settings: Settings, name: str, value: Any) -> None:
    async with db.transaction() as tx:
        await settings.store(tx, name, value, "test")


async def test_the_database_wins_over_the_file_and_loses_to_the_environment(db: Database) -> None:
    settings = Settings.load(SETTINGS, {"CHARRUA_DICOM_PORT": "4242"}, {"dicom_port": 1, "dicom_aet": "FILE"})
    await put(db, settings, "dicom_port", "104")
    await put(db, settings, "dicom_aet", "DATABASE")
    await settings.refresh(db)
    assert settings.found("dicom_port") == (4242, Source.ENVIRONMENT)
    assert settings.found("dicom_aet") == ("DATABASE", Source.DATABASE)
    await put(db, settings, "dicom_aet", None)
    assert (await refreshed(settings, db)).found("dicom_aet") == ("FILE", Source.FILE)


async def refreshed(settings: Settings, db: Database) -> Settings:
    await settings.refresh(db)
    return settings


async def test_every_type_of_value_comes_back_from_the_database_as_it_was(db: Database) -> None:
    values = {"verify_aets": True, "log_level": 2, "undo_days": 7, "dicom_idle_timeout": timedelta(minutes=5)}
    values |= {"volume": Path("/srv/images"), "unknown_aets_may": ("echo", "query")}
    settings = Settings.load(SETTINGS, {}, {})
    for name, value in values.items():
        await put(db, settings, name, value)
    await settings.refresh(db)
    assert {name: settings[name] for name in values} == values


async def test_what_takes_effect_at_a_start_waits_for_one(db: Database) -> None:
    settings = await refreshed(Settings.load(SETTINGS, {}, {}), db)
    await put(db, settings, "dicom_port", 104)
    await put(db, settings, "verify_aets", True)
    await settings.refresh(db)
    assert (settings["dicom_port"], settings["verify_aets"]) == (11112, True)
    assert settings.pending() == ["dicom_port"]


async def test_a_value_that_became_impossible_stops_a_start_but_not_a_running_archive(db: Database) -> None:
    running = await refreshed(Settings.load(SETTINGS, {}, {}), db)
    async with db.transaction() as tx:
        await tx.execute(insert(tables.setting).values(name="log_level", value=9, changed_by="an older release"))
    await running.refresh(db)
    assert running["log_level"] == 1
    with pytest.raises(SettingInvalid, match="log_level from the database"):
        await Settings.load(SETTINGS, {}, {}).refresh(db)


async def test_settings_of_a_plugin_that_is_gone_do_no_harm(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(insert(tables.setting).values(name="gone", value=1, changed_by="test"))
    assert "gone" not in await refreshed(Settings.load(SETTINGS, {}, {}), db)


async def test_a_changed_setting_is_told_to_all_processes(db: Database) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    await db.listen(CHANNEL, told.put_nowait)
    await put(db, Settings.load(SETTINGS, {}, {}), "log_level", 2)
    async with asyncio.timeout(5):
        while await told.get() != "log_level":
            pass


async def test_what_the_database_cannot_hold_is_refused(db: Database) -> None:
    with pytest.raises(SettingInvalid, match="CHARRUA_DATABASE_URL"):
        await put(db, Settings.load(SETTINGS, {}, {}), "database_url", "postgresql://")


@pytest.mark.parametrize(
    ("named", "found"), [("~/site.toml", Path.home() / "site.toml"), ("site.toml", Path("site.toml")), ("", None)]
)
def test_the_configuration_file_is_the_one_that_is_named(tmp_path: Path, named: str, found: Path | None) -> None:
    assert config_path({"CHARRUA_CONFIG": named}, tmp_path) == found
