"""The archive in one process: its parts, opened in order and closed in reverse."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from charrua_core import audit, logs, peers
from charrua_core.accounts import Accounts
from charrua_core.archive.ingest.ingest import Ingest
from charrua_core.audit import AuditTrail
from charrua_core.db import Database
from charrua_core.dicom.configured import limits_of
from charrua_core.errors import DatabaseUnavailable, NotPermitted, PluginFailed
from charrua_core.hooks import Hooks
from charrua_core.imaging.cache import ImageCache
from charrua_core.imaging.codecs import Codec, Codecs
from charrua_core.imaging.headers import ParsedHeaders
from charrua_core.imaging.workers import Imaging
from charrua_core.jobs import Jobs
from charrua_core.peers import Peers
from charrua_core.sending import CHANNEL as DESTINATION_CHANNEL
from charrua_core.sending import DestinationKind, Destinations
from charrua_core.services import breaches
from charrua_core.services.health import Health
from charrua_core.services.metrics import Metrics
from charrua_core.services.service import Role, Service
from charrua_core.services.sockets import Sockets
from charrua_core.services.start import Start
from charrua_core.settings import CHANNEL as SETTING_CHANNEL
from charrua_core.settings import Settings
from charrua_core.storage import Volumes
from charrua_core.trouble import Troubles
from charrua_core.types import Identity, Origin, Refuse

if TYPE_CHECKING:
    from charrua_core.dicom import Association, Limits

log = logging.getLogger(__name__)

__all__ = ["App", "Start"]

CORE_MIGRATIONS = "charrua_core.migrations"
CLOSE_WITHIN_S = 6.0  # all parts together
CLOSE_LATE_S = 0.5  # each part, when that time is over


class App:
    """The parts of the archive, for services, hooks and commands. Get one with `App.opened`.

    `roles` are those of this process, empty for a command; `sockets` are those that its services listen at, inherited
    or bound by this process.
    """

    def __init__(self, start: Start, roles: Collection[Role], sockets: Sockets) -> None:
        self.start = start
        self.roles = frozenset(roles)
        self.sockets = sockets
        self.hooks: Hooks = start.hooks()
        self.settings: Settings = start.settings(self.hooks)
        self._refreshing: set[asyncio.Task[None]] = set()
        self._close_until = 0.0

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, start: Start, *, roles: Collection[Role] = (), sockets: Mapping[str, Any] | None = None
    ) -> AsyncIterator[App]:
        """Open settings, database (made and upgraded where needed), volumes and all that stands on them."""
        app = cls(start, roles, dict(sockets or {}))
        async with AsyncExitStack() as parts:
            await app._open(parts)
            yield app

    async def _open(self, parts: AsyncExitStack) -> None:
        self.data_dir = self.start.data_dir(self.settings)
        self.db = await Database.open(self.settings)
        parts.push_async_callback(self._close, "database", self.db.close)
        await self.db.upgrade(migrations_of(self.hooks))
        await self.settings.refresh(self.db)
        if self.roles:
            self._start_log()
        self.limits: Limits = limits_of(self.settings)
        self.volumes = await Volumes.open(self.db, self.settings)
        parts.push_async_callback(self._close, "volumes", self.volumes.close)
        self.audit = AuditTrail(self.db)
        parts.push_async_callback(self._close, "audit trail", self.audit.close)
        self.troubles = Troubles(self.db)
        parts.push_async_callback(self._close, "troubles", self.troubles.close)
        self.ingest = Ingest(self)
        parts.push_async_callback(self._close, "ingest", self.ingest.close)
        self.accounts = Accounts(self.db, self.settings)
        await self.accounts.prepare()
        self.peers = Peers(self.db, self.settings, self.audit, self.troubles)
        await self.peers.refresh()
        kinds = self.hooks.gather_of(DestinationKind, "destinations", app=self)
        self.destinations = Destinations(self.db, self.peers, kinds)
        await self.destinations.refresh()
        self.jobs = Jobs(self.db)
        self.metrics = Metrics(self)
        self.health = Health(self)
        parts.push_async_callback(self.health.close)
        self.imaging = Imaging(self.settings, codecs_of(self.hooks))
        parts.push_async_callback(self.imaging.close)
        self.headers = ParsedHeaders()
        self.image_cache = ImageCache(self.settings)
        parts.push_async_callback(self.image_cache.close)
        if self.roles:
            parts.enter_context(self.metrics.kept())
            parts.enter_context(breaches.kept(self.data_dir, self.hooks.watches()))
            await self._follow_changes()

    async def _close(self, name: str, close: Callable[[], Awaitable[None]]) -> None:
        """Close a part. What a hanging database keeps from closing was not acknowledged to anybody, and is left as it is."""
        now = time.monotonic()
        self._close_until = self._close_until or now + CLOSE_WITHIN_S
        try:
            async with asyncio.timeout(max(self._close_until - now, CLOSE_LATE_S)):
                await close()
        except TimeoutError:
            log.error("the %s did not close in time", name)
        except DatabaseUnavailable as error:
            log.error("the %s could not be closed in order: %s", name, error)

    def _start_log(self) -> None:
        folder = self.data_dir / "logs" if self.settings["log_file"] else None
        logs.configure(self.settings["log_level"], folder=folder, as_json=self.settings["log_json"])

    # -- live changes ----------------------------------------------------------------------------------------------------
    async def _follow_changes(self) -> None:
        await self.db.listen(SETTING_CHANNEL, lambda _: self._soon(self._settings_changed()))
        await self.db.listen(peers.CHANNEL, lambda _: self._soon(self.peers.refresh()))
        await self.db.listen(DESTINATION_CHANNEL, lambda _: self._soon(self.destinations.refresh()))

    def _soon(self, work: Any) -> None:
        task = asyncio.create_task(self._logged(work), name="refresh")
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _logged(self, work: Any) -> None:
        try:
            await work
        except Exception:
            log.exception("a change made elsewhere could not be read; the next notification tries again")

    async def _settings_changed(self) -> None:
        await self.settings.refresh(self.db)
        logs.set_level(self.settings["log_level"])

    # -- what hooks give -------------------------------------------------------------------------------------------------
    def services(self, roles: Collection[Role] | None = None) -> list[Service]:
        """Give the services of these roles, or of this process's, core's before those of plugins."""
        wanted = self.roles if roles is None else roles
        found = self.hooks.gather_of(Service, "services", app=self)  # type: ignore[type-abstract]
        return [service for service in reversed(found) if service.role in wanted]

    async def log_in(self, credentials: Mapping[str, Any]) -> Identity:
        """Give who it is, by the chain of authentication providers; NotPermitted says why not, with its HTTP status."""
        try:
            return await self.accounts.log_in(credentials, self._ask_providers)
        except NotPermitted as error:
            if "aet" not in credentials:  # else the association that it came with is refused for it
                await self._note_refused_log_in(credentials, error)
            raise

    async def _note_refused_log_in(self, credentials: Mapping[str, Any], error: NotPermitted) -> None:
        """What stands in the place of a name may be a password, or a patient's number: only names of accounts are kept."""
        given = str(credentials.get("name", "")).replace("\0", "")
        known = await self.accounts.identity(given) if given else None
        scheme, address = str(credentials.get("scheme", "")), str(credentials.get("address", ""))
        self.troubles.note("log_in", known.name if known else "", address, str(error), scheme=scheme)

    async def _ask_providers(self, credentials: Mapping[str, Any]) -> Identity | Refuse | None:
        answer: Identity | Refuse | None = await self.hooks.ask_async(
            "auth_provider", app=self, credentials=dict(credentials)
        )
        return answer

    async def admit(
        self, calling: str, called: str, address: str, certificate: frozenset[str] = frozenset()
    ) -> Identity | peers.Rejection:
        """Give who opens an association, showing this `certificate` (see `Peer`), or why it is rejected."""
        others = [one for one in self.hooks.implementations("auth_provider") if one.plugin != "core"]
        return await self.peers.admit(calling, called, address, self._ask_providers if others else None, certificate)

    def identity_of(self, association: Association) -> Identity:
        """Give who asks on an association, with what it may do and see."""
        return association.identity or self.peers.identity(association.calling_aet)

    def origin_of(self, association: Association) -> Origin:
        """Give where the requests of an association come from, with the user who has logged in on it."""
        identity, address = self.identity_of(association), association.address[0]
        user = identity.name if identity.kind == "user" else ""
        return Origin("dimse", association.calling_aet, association.called_aet, address, association.id, user)

    async def change_setting(self, name: str, given: Any, *, by: str, origin: Origin | None = None) -> Any:
        """As `change_setting`, and see it in this process at once."""
        value = await change_setting(self.db, self.settings, name, given, by=by, origin=origin)
        await self.settings.refresh(self.db)
        return value


def migrations_of(hooks: Hooks) -> list[str]:
    """Name the packages that hold migrations, core's first; PluginFailed, naming the plugin, where one cannot be imported."""
    packages = []
    for plugin, package in hooks.gather_by_plugin("migrations"):
        try:
            importlib.import_module(package)
        except Exception as error:
            raise PluginFailed(f"plugin {plugin}, migrations {package}: {type(error).__name__}: {error}") from error
        packages.append(package)
    return sorted(packages, key=lambda package: package != CORE_MIGRATIONS)


def codecs_of(hooks: Hooks) -> Codecs:
    """Give core's and the plugins' codecs; PluginFailed names the plugin that gives something else."""
    return Codecs.of(hooks.gather_of(Codec, "decode_frame"), hooks.gather_of(Codec, "encode_frame"))


async def change_setting(
    db: Database, settings: Settings, name: str, given: Any, *, by: str, origin: Origin | None = None
) -> Any:
    """Write a setting to the database, with its audit record, and tell all processes; None takes it out again.

    Gives the parsed value; raises SettingInvalid if it will not do. `origin` is that of who asks; without it, a command on
    this machine.
    """
    origin = origin or Origin("cli", user=by)
    async with db.transaction() as tx:
        value = await settings.store(tx, name, given, by)
        shown = settings.declaration(name).show(value)
        await audit.record(tx, audit.Event.SECURITY_ALERT, "U", by, origin, setting=name, value=shown)
    return value
