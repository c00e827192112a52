"""The archive as a whole: its start, its end, its worker processes, and what a bad start is told."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from charrua_core.app import App
from charrua_core.app import Start as StartOfProcess
from charrua_core.dicom import ProposedContext, associate
from charrua_core.errors import AssociationAborted, AssociationRejected, CharruaError, PluginFailed, SettingInvalid
from charrua_core.services import Background
from charrua_core.services.serve import serve
from charrua_core.testing.devices import UNCOMPRESSED, VERIFICATION, Modality
from charrua_core.testing.running import Archive, as_variables

WITHOUT = ("storescp", "qr", "route_modality")
ECHO = """
    import os

    @hookimpl
    def dimse_services(app):
        from charrua_core.dicom import CommandField, ServiceClass

        async def echo(association, message):
            await association.respond(message, 0x0000)

        return [ServiceClass("echo", {"1.2.840.10008.1.1"}, echo, frozenset({CommandField.C_ECHO}))]
"""
Start = Callable[..., Any]
Write = Callable[[str, str], str]


@pytest.fixture
def start(start_archive: Start, write_plugin: Write) -> Start:
    """Start an archive that serves C-ECHO and nothing else."""
    echo = write_plugin("echo_plugin", ECHO)

    async def start(*plugins: str, **arguments: Any) -> Archive:
        archive: Archive = await start_archive(plugins=(echo, *plugins), without=WITHOUT, **arguments)
        return archive

    return start


async def until(reached: Callable[[], Any], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not await reached():  # noqa: ASYNC110 -- another process is waited for
            await asyncio.sleep(0.05)


async def test_ready_names_the_listener_that_answers(start: Start) -> None:
    archive = await start(settings={"dicom_aet": "NORTE"})
    assert archive.ready.startswith(f"ready dicom NORTE 127.0.0.1:{archive.port}")
    assert await Modality(archive.peer).echo() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly_whatever_is_open(start: Start, number: int) -> None:
    archive = await start()
    with suppress(AssociationAborted):
        async with associate(archive.peer, [ProposedContext(VERIFICATION, UNCOMPRESSED)]):
            assert await archive.stop(number) == 0
    assert "Traceback" not in archive.told()


async def test_it_starts_again_after_the_power_went(start: Start) -> None:
    archive = await start()
    await archive.kill()
    await archive.start()
    assert await Modality(archive.peer).echo() == 0


async def test_a_restart_keeps_the_process_and_brings_new_settings_into_effect(start: Start) -> None:
    archive = await start()
    await archive.run("settings", "set", "dicom_aet", "NORTE")
    assert "setting   dicom_aet waits for a restart" in (await archive.charrua("status"))[1]
    await archive.run("restart")
    assert archive.process.stdout is not None
    assert (await archive.process.stdout.readline()).startswith(b"ready dicom NORTE")
    assert archive.runs
    assert "waits for a restart" not in (await archive.charrua("status"))[1]
    assert await archive.stop() == 0


async def test_one_data_folder_has_one_server(start: Start) -> None:
    archive = await start()
    status, _, told = await archive.charrua("serve")
    assert status == 1
    assert "a server runs already" in told
    assert str(archive.process.pid) in told


async def test_what_stops_a_start_is_told_in_a_line(start: Start, write_plugin: Write) -> None:
    with pytest.raises(AssertionError, match="charrua: plugin vendor cannot be loaded") as failure:
        await start(write_plugin("vendor", "import no_such_module"))
    assert "Traceback" not in str(failure.value)


@pytest.fixture
def failing_start(environment: dict[str, str], write_plugin: Write) -> Start:
    """Serve in this process until it fails; gives what it says."""

    async def failing_start(*plugins: str, **settings: Any) -> str:
        variables = {**environment, **as_variables(settings)}
        with pytest.raises(CharruaError) as failure:
            await serve(StartOfProcess(variables, WITHOUT, plugins))
        return str(failure.value)

    return failing_start


async def test_a_taken_port_stops_the_start(failing_start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = await failing_start(dicom_port=port)
    assert f"the DICOM listener cannot listen at 127.0.0.1 port {port}" in told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("@hookimpl\ndef on_objekt_stored(stored):\n    pass", "on_objekt_stored"),
        (
            "@hookimpl\ndef services(app):\n    raise RuntimeError('no licence')",
            "hook services: RuntimeError: no licence",
        ),
        ("@hookimpl\ndef settings():\n    return [5]", "hook settings: it gave int among what must be Setting"),
        ("@hookimpl\ndef dimse_services(app):\n    return [5]", "hook dimse_services: it gave int"),
        ("@hookimpl\ndef job_types(app):\n    return 5", "hook job_types: it gave int where a list is asked for"),
        ("@hookimpl\ndef migrations():\n    return ['no.such.package']", "no.such"),
    ],
)
async def test_a_bad_plugin_stops_the_start_with_its_name(
    failing_start: Start, write_plugin: Write, source: str, told: str
) -> None:
    said = await failing_start(write_plugin("vendor", source))
    assert "plugin vendor" in said
    assert told in said


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"dicom_port": "high"}, "dicom_port from the environment (CHARRUA_DICOM_PORT)"),
        ({"dicom_aet": "SEVENTEEN_LETTERS"}, "1 to 16 ASCII characters"),
        ({"dicom_tls": "require"}, "dicom_tls require"),
        ({"dicom_tls": "encrypt", "dicom_tls_certificate": "/nowhere.pem"}, "/nowhere.pem"),
        ({"dicom_host": "no.such.host.invalid"}, "cannot listen at no.such.host.invalid"),
        ({"database_url": "postgresql://nobody@127.0.0.1:1/none"}, "the database"),
        ({"data_dir": "/dev/null/data"}, "/dev/null/data"),
        ({"volume": "/dev/null/volume"}, "/dev/null/volume"),
    ],
)
async def test_a_bad_setting_stops_the_start_with_its_name(
    failing_start: Start, settings: dict[str, Any], told: str
) -> None:
    assert told in await failing_start(**settings)


async def test_an_index_that_is_half_built_is_not_served(failing_start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async def under_way(_db: Any) -> bool:
        return True

    monkeypatch.setattr("charrua_core.archive.regenerate.regenerate.under_way", under_way)
    assert "charrua archive regenerate" in await failing_start()


async def test_a_setting_whose_effect_is_now_works_at_once_in_every_process(start: Start) -> None:
    archive = await start(settings={"workers": 2})
    await archive.run("settings", "set", "verify_aets", "on")

    async def rejected() -> bool:
        try:
            await Modality(archive.peer).echo()
        except AssociationRejected:
            return True
        return False

    await until(lambda: rejected())
    assert all([await rejected() for _ in range(6)])


async def test_tls_is_spoken_with_a_certificate_of_its_own_making(start: Start) -> None:
    archive = await start(settings={"dicom_tls": "encrypt"})
    assert archive.ready.startswith("ready dicom+tls CHARRUA")
    assert await Modality(archive.peer).echo() == 0
    with pytest.raises(CharruaError):
        await Modality(replace(archive.peer, tls_mode="off", timeout_s=5)).echo()


async def test_tls_may_have_a_port_of_its_own(start: Start) -> None:
    archive = await start(settings={"dicom_tls": "encrypt", "dicom_tls_port": 0})
    told = re.match(r"ready dicom CHARRUA \S+:\d+, dicom\+tls CHARRUA \S+:(\d+)", archive.ready)
    assert told
    assert await Modality(archive.peer).echo() == 0
    assert await Modality(replace(archive.peer, port=int(told[1]), tls_mode="encrypt")).echo() == 0


# -- worker processes --------------------------------------------------------------------------------------------------------
def children(pid: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers(archive: Archive) -> list[int]:
    return [
        pid for pid in children(archive.process.pid) if b"services.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def is_alive(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""  # a zombie has none


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")


@needs_proc
async def test_several_workers_are_refused_where_they_cannot_share_a_listener(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrua_core.services.serve.SHARES_LISTENERS", False)
    with pytest.raises(SettingInvalid, match="workers"):
        await serve(StartOfProcess({**environment, "CHARRUA_WORKERS": "2"}))


async def test_several_workers_share_one_listener_and_end_with_it(start: Start) -> None:
    archive = await start(settings={"workers": 3})
    born = workers(archive)
    assert len(born) == 3
    assert await asyncio.gather(*(Modality(archive.peer).echo() for _ in range(12))) == [0] * 12
    assert await archive.stop() == 0
    assert not any(map(is_alive, born))


@needs_proc
async def test_a_dead_worker_is_replaced(start: Start) -> None:
    archive = await start(settings={"workers": 2})
    victim = workers(archive)[0]
    os.kill(victim, signal.SIGKILL)

    async def replaced() -> bool:
        return len(workers(archive)) == 2 and victim not in workers(archive)

    await until(replaced)
    assert await asyncio.gather(*(Modality(archive.peer).echo() for _ in range(6))) == [0] * 6


@needs_proc
async def test_no_worker_outlives_a_killed_head(start: Start) -> None:
    archive = await start(settings={"workers": 2})
    born = workers(archive)
    archive.process.kill()

    async def gone() -> bool:
        return not any(map(is_alive, born))

    await until(gone)


# -- parts -------------------------------------------------------------------------------------------------------------------
async def test_a_background_service_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrua_core.services.service.BACK_OFF", (0.0,))
    tries, done = [], asyncio.Event()

    async def work() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError
        done.set()
        await asyncio.Event().wait()

    service = Background("work", "jobs", work)
    await service.start()
    async with asyncio.timeout(5):
        await done.wait()
    await service.stop()
    assert len(tries) == 3


async def test_a_background_service_ends_that_has_lost_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrua_core.services.service.CANCEL_AGAIN_S", 0.05)
    lost = []

    async def work() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost.append(1)
                if len(lost) > 1:
                    raise

    service = Background("work", "jobs", work)
    await service.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await service.stop()
    assert len(lost) == 2


async def test_a_plugins_setting_is_known_and_its_failure_named(open_archive: Start, write_plugin: Write) -> None:
    declares = write_plugin(
        "declares",
        """
        @hookimpl
        def settings():
            from charrua_core.settings import Setting
            return [Setting("night_aet", str, "NIGHT", help="Who takes the night's studies.", since="0.1")]
        """,
    )
    app: App = await open_archive(plugins=(declares,), without=WITHOUT)
    assert app.settings["night_aet"] == "NIGHT"
    with pytest.raises(SettingInvalid, match="night_aet"):
        await app.change_setting("night_aet", 5, by="test")


async def test_a_plugin_may_know_people(open_archive: Start, write_plugin: Write) -> None:
    directory = write_plugin(
        "directory",
        """
        @hookimpl
        async def auth_provider(credentials):
            if credentials.get("name") == "eva":
                return Identity("eva", "user", permissions=frozenset({"query"}))
        """,
    )
    app: App = await open_archive(plugins=(directory,), without=WITHOUT)
    credentials = {"scheme": "password", "name": "eva", "password": "any", "address": "10.0.0.8"}
    assert (await app.log_in(credentials)).permissions == {"query"}


async def test_a_misspelt_plugin_is_no_archive(open_archive: Start, write_plugin: Write) -> None:
    with pytest.raises(PluginFailed, match="vendor"):
        await open_archive(plugins=(write_plugin("vendor", "raise ValueError('x')"),))
