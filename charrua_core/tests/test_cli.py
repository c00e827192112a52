"""The command line: each command beside a running server or without one, with words for humans."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrua_core import audit
from charrua_core.app import App
from charrua_core.cli import _split, main
from charrua_core.cli.settings import reference
from charrua_core.hooks import Hooks
from charrua_core.testing.running import Archive

Command = Callable[..., Any]


class Failure(Exception):
    """A command ended with a status other than 0."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(f"status {status}: {told}")
        self.status = status


@pytest.fixture
def charrua(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Run a command in this process, on an archive that no server serves; gives what it prints."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async def charrua(*arguments: str, given: str = "") -> str:
        def run() -> int:
            monkeypatch.setattr("sys.stdin", _stdin(given))
            try:
                main(arguments)
            except SystemExit as end:
                return end.code if isinstance(end.code, int) else int(end.code is not None)
            return 0

        status = await asyncio.to_thread(run)
        out, err = capsys.readouterr()
        if status:
            assert "Traceback" not in err
            raise Failure(status, err + out)
        charrua.warned = err  # type: ignore[attr-defined]
        return str(out)

    return charrua


def _stdin(given: str) -> Any:
    import io

    return io.StringIO(given)


async def test_a_peer_is_added_listed_and_removed(charrua: Command) -> None:
    assert await charrua("peer", "add", "CT1", "10.0.0.8", "104", "--tls", "encrypt") == "added CT1 at 10.0.0.8:104\n"
    assert (
        await charrua("peer", "add", "CT1", "10.0.0.9", "104", "--may", "echo,store") == "changed CT1 at 10.0.0.9:104\n"
    )
    assert "CT1       10.0.0.9  104   encrypt  30 s     echo store" in await charrua("peer", "list")
    assert await charrua("peer", "remove", "CT1") == "removed CT1\n"
    assert "CT1" not in await charrua("peer", "list")


async def test_a_peer_that_moves_to_another_address_may_and_sees_no_more_than_before(charrua: Command) -> None:
    await charrua("peer", "add", "WS1", "10.0.0.8", "104", "--may", "query", "--see", "Modality=CR", "--tls", "require")
    await charrua("peer", "add", "WS1", "10.0.0.9", "105")
    told = await charrua("peer", "list")
    assert "WS1       10.0.0.9  105   require  30 s     query  Modality=CR" in told
    await charrua("peer", "add", "WS1", "10.0.0.9", "105", "--see", "all")
    assert "Modality=CR" not in await charrua("peer", "list")


async def test_a_user_is_added_and_gets_a_token(charrua: Command, open_archive: Command) -> None:
    await charrua(
        "user", "add", "eva", "--role", "Radiologist", "--password-stdin", "--see", "Modality=CR", given="long enough\n"
    )
    assert "eva    Radiologist" in await charrua("user", "list")
    token = (await charrua("token", "create", "eva", "--lifetime", "30 d")).strip()
    app: App = await open_archive()
    identity = await app.log_in({"scheme": "bearer", "token": token})
    assert identity.name == "eva"
    assert identity.row_filters[0].admits == {"Modality": ("CR",)}
    await charrua("token", "revoke", token)
    assert token[:5] not in await charrua("token", "list")


async def test_what_is_known_of_a_user_is_changed(charrua: Command, open_archive: Command) -> None:
    await charrua("user", "add", "eva", "--password-stdin", "--see", "Modality=CR", given="long enough\n")
    await charrua("user", "change", "eva", "--role", "Manager", "--full-name", "Eva Ruiz", "--see", "all")
    app: App = await open_archive()
    eva = await app.accounts.get("eva")
    assert (eva.role, eva.full_name, eva.row_filter) == ("Manager", "Eva Ruiz", None)


async def test_sessions_are_listed_and_killed(charrua: Command, open_archive: Command) -> None:
    await charrua("user", "add", "eva", "--password-stdin", given="long enough\n")
    app: App = await open_archive()
    identity = await app.accounts.identity("eva")
    for address in ("10.0.0.1", "10.0.0.2"):
        await app.accounts.sessions.begin(identity, address=address, agent="Firefox")
    listed = (await charrua("session", "list")).splitlines()[1:]
    assert sorted(line.split()[1:3] for line in listed) == [["eva", "10.0.0.1"], ["eva", "10.0.0.2"]]
    assert "ended 1 session" in await charrua("session", "kill", listed[0].split()[0])
    assert "ended 1 session" in await charrua("session", "kill", "eva")
    assert "eva" not in await charrua("session", "list")


async def test_the_administrators_password_is_reset(charrua: Command, open_archive: Command) -> None:
    await charrua("user", "passwd", "admin", "--password-stdin", given="long enough\n")
    assert "must change password" not in await charrua("user", "list")
    await charrua("user", "reset-admin")
    app: App = await open_archive()
    credentials = {"scheme": "password", "name": "admin", "password": "admin", "address": "127.0.0.1"}
    assert (await app.log_in(credentials)).permissions == {"change_password"}


async def test_a_setting_is_set_shown_and_forgotten(charrua: Command) -> None:
    assert "from the next start on" in await charrua("settings", "set", "dicom_aet", "NORTE")
    assert await charrua("settings", "get", "dicom_aet") == "NORTE\n"
    assert "NORTE" in next(line for line in (await charrua("settings")).splitlines() if line.startswith("dicom_aet "))
    await charrua("settings", "set", "dicom_aet", "--default")
    assert await charrua("settings", "get", "dicom_aet") == "CHARRUA\n"


async def test_a_setting_is_set_in_vain_where_the_environment_has_another_value(
    charrua: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARRUA_LOG_LEVEL", "1")
    await charrua("settings", "set", "log_level", "2")
    assert "CHARRUA_LOG_LEVEL is set in the environment, which counts more" in charrua.warned  # type: ignore[attr-defined]
    assert (await charrua("settings", "get", "log_level")).strip() == "1"


async def test_the_password_in_the_databases_url_is_never_shown(
    charrua: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = await charrua("settings", "get")
    assert "postgresql://" not in listed
    assert "postgresql" not in await charrua("settings", "get", "database_url")


async def test_a_change_of_a_setting_is_audited_without_secrets(charrua: Command, open_archive: Command) -> None:
    await charrua("settings", "set", "log_level", "2")
    app: App = await open_archive()
    (kept,) = await audit.read(app.db)
    assert kept["detail"] == {"setting": "log_level", "value": "2"}
    assert "command line" in kept["who"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ("settings set dicom_port high", 1, "dicom_port from you: 'high' does not do: it is a whole number"),
        ("settings set log_level 3", 1, "at most 2"),
        ("settings set nothing 3", 1, "no setting nothing"),
        ("settings set data_dir /tmp", 1, "CHARRUA_DATA_DIR"),
        ("settings set dicom_aet", 2, "give a value"),
        ("peer add CT1 host 99999", 2, "PORT"),
        ("peer add SEVENTEEN_LETTERS host 104", 1, "no AE title"),
        ("peer echo NOBODY", 1, "charrua peer add NOBODY"),
        ("peer remove NOBODY", 1, "no peer of AE title NOBODY"),
        ("user add eva --role Surgeon --password-stdin", 2, "Surgeon"),
        ("user add eva --password-stdin", 1, "at least 8 characters"),
        ("user add eva --see Modality --password-stdin", 1, "'Modality' is no filter"),
        ("user add eva --see =CR --password-stdin", 1, "'=CR' is no filter"),
        ("user add eva --see Modality= --password-stdin", 1, "'Modality=' is no filter"),
        ("user add eva --see Rows=512 --password-stdin", 1, "Rows is no attribute to filter by"),
        ("user change admin", 1, "name what is to be changed"),
        ("peer add CT1 host 104 --see Modality", 1, "'Modality' is no filter"),
        ("user passwd nobody --password-stdin", 1, "at least 8 characters"),
        ("user remove admin", 1, "only administrator"),
        ("token create nobody", 1, "no user nobody"),
        ("token create admin --lifetime soon", 1, "duration"),
        ("token revoke 0123456789ab", 1, "no such token"),
        ("session kill nobody", 1, "no session nobody"),
        ("restart", 1, "no server runs"),
        ("nonsense", 2, "nonsense"),
    ],
)
async def test_bad_input_is_told_in_a_line(charrua: Command, arguments: str, status: int, told: str) -> None:
    with pytest.raises(Failure, match=told) as failure:
        await charrua(*arguments.split())
    assert failure.value.status == status


async def test_a_wrong_value_in_the_database_can_be_put_right(charrua: Command, open_archive: Command) -> None:
    from sqlalchemy import text

    app: App = await open_archive()
    async with app.db.transaction() as tx:
        await tx.execute(text("INSERT INTO core.setting VALUES ('dicom_port', '70000', 'an older release', now())"))
    with pytest.raises(Failure, match=r"dicom_idle|dicom_port from the database"):
        await charrua("peer", "list")
    await charrua("settings", "set", "dicom_port", "104")
    await charrua("peer", "list")


async def test_status_tells_what_works_and_what_does_not(charrua: Command, environment: dict[str, str]) -> None:
    told = await charrua("status")
    assert "server    does not run" in told
    assert "database  ok: PostgreSQL" in told
    assert "volume 1  ok:" in told
    assert "jobs      ok: nothing to do" in told
    assert "dicom " not in told  # nobody is asked whether it answers


async def test_status_fails_where_something_does_not_work(charrua: Command, open_archive: Command) -> None:
    app = await open_archive()
    await app.jobs.enqueue("test.do", {})
    async with app.db.driver() as connection:
        await connection.execute("UPDATE core.job SET state = 'dead'")
    with pytest.raises(Failure, match=r"status 1: [\s\S]*jobs      FAILS: 1 dead"):
        await charrua("status")


async def test_the_database_is_made_upgraded_and_told_of(
    charrua: Command, monkeypatch: pytest.MonkeyPatch, postgresql_server: Any
) -> None:
    url = postgresql_server.empty()
    monkeypatch.setenv("CHARRUA_DATABASE_URL", url)
    try:
        assert "ready" in await charrua("database", "create")
        assert "newest version" in await charrua("database", "upgrade")
        assert "charrua_core.migrations  00" in await charrua("database", "status")
    finally:
        postgresql_server.drop(url)


async def test_settled_returns_at_once_when_nothing_is_to_be_done(charrua: Command) -> None:
    await charrua("settled", "--timeout", "0")


async def test_settled_fails_while_a_job_is_due(charrua: Command, open_archive: Command) -> None:
    app: App = await open_archive()
    await app.jobs.enqueue("nobody.does", {})
    with pytest.raises(Failure, match="not settled after 0 s"):
        await charrua("settled", "--timeout", "0")


async def test_versions_and_plugins_are_told(charrua: Command) -> None:
    assert "charrua 0" in await charrua("version")
    assert "storescp" in await charrua("plugins")
    assert "storescp" not in await charrua("plugins", "--without", "storescp")


async def test_what_a_plugin_failed_at_is_listed_and_told_again(charrua: Command, open_archive: Command) -> None:
    app = await open_archive()
    async with app.db.driver() as connection:
        await connection.execute(
            "INSERT INTO core.set_aside (follower, change_seq, change_kind, payload, error) "
            "VALUES ('vendor', 7, 'object', '{}', 'OSError: the disk of the plugin is full')"
        )
    assert "the disk of the plugin is full" in await charrua("plugins")
    assert await charrua("plugin", "again", "vendor", "7") == "vendor is told 1 once more\n"
    assert "Set aside" not in await charrua("plugins")
    with pytest.raises(Failure, match="nothing like that is set aside"):
        await charrua("plugin", "again", "vendor")


async def test_documents_are_printed_from_the_code(charrua: Command) -> None:
    assert "### `dicom_port`" in await charrua("settings", "--docs")
    hooks = await charrua("hooks", "--docs")
    assert "## `on_object_stored`" in hooks
    assert "accept_object(app: App, candidate: Candidate) -> Refuse | None" in hooks
    assert "Association policies" in await charrua("conformance")
    await charrua("settings", "set", "dicom_max_pdu_bytes", "54321")
    assert "54321" not in await charrua("conformance")
    assert "54321" in await charrua("conformance", "--database")
    commands = await charrua("help", "--docs")
    assert "## `charrua peer add`" in commands
    assert "Usage: charrua peer add [OPTIONS] AET HOST PORT" in commands


def test_the_reference_of_the_settings_depends_on_no_machine() -> None:
    assert str(Path.home()) not in reference(Hooks().gather_by_plugin("settings"))


@pytest.mark.parametrize(
    ("given", "rest", "without"),
    [
        (["--without", "qr", "serve"], ["serve"], ["qr"]),
        (["serve", "--without=qr", "--without", "web"], ["serve"], ["qr", "web"]),
        (["user", "add", "--", "--without"], ["user", "add", "--", "--without"], []),
        (["serve", "--without"], ["serve"], []),
    ],
)
def test_plugins_are_left_out_wherever_the_option_stands(given: list[str], rest: list[str], without: list[str]) -> None:
    assert _split(given) == (rest, without)


async def test_commands_work_beside_a_running_server(archive: Archive) -> None:
    await archive.run("peer", "add", "SELF", "127.0.0.1", str(archive.port))
    assert f"runs, process {archive.process.pid}" in await archive.run("status")
    await archive.run("settled", "--timeout", "20")


async def test_an_archive_without_a_given_database_runs_its_own(tmp_path: Path, environment: dict[str, str]) -> None:
    own = {name: value for name, value in environment.items() if name != "CHARRUA_DATABASE_URL"}
    archive = Archive(own, tmp_path / "log")
    assert "ready" in await archive.run("database", "create")
    await archive.start(preloaded=False)
    await archive.run("peer", "add", "CT1", "127.0.0.1", "104")
    await archive.kill()
    assert "CT1" in await archive.run("peer", "list")
    await archive.start()
    assert await archive.stop() == 0


def test_the_server_starts_before_the_heavy_packages_are_imported():
    check = "import sys; from charrua_core.cli import own; own('serve'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) & {"sqlalchemy", "asyncpg", "alembic", "pydicom", "cryptography", "pynetdicom"} == set()
