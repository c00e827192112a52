"""The database of this process: connections for writing and reading, notifications, locks, and the upgrade of schemas."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import orjson
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from charrua_core import metrics
from charrua_core.db import lineages
from charrua_core.db.failures import connection_lost
from charrua_core.db.session import Callback, Held, Session
from charrua_core.errors import DatabaseUnavailable
from charrua_core.postgresql import EmbeddedServer
from charrua_core.settings import Setting

DATABASE = "charrua"
OLDEST_SERVER = 15
WAIT_S = 10.0  # for a free connection, and for the server to answer

SETTINGS = (
    Setting(
        "database_pool_size",
        int,
        10,
        minimum=2,
        help="Connections that each process keeps for writing",
        since="0.1",
        local=True,
    ),
    Setting(
        "database_reading_pool_size",
        int,
        10,
        minimum=2,
        help="Connections that each process keeps for queries",
        since="0.1",
        local=True,
    ),
    Setting(
        "database_statement_timeout",
        timedelta,
        timedelta(seconds=60),
        minimum=1,
        help="The longest that one query may keep the database busy",
        since="0.1",
        local=True,
    ),
)

_USES = ("writing", "searching", "by key")
_IN_USE = metrics.gauge("charrua_database_connections_in_use", "Connections of the pool that are in use.", use=_USES)
_POOL = metrics.gauge("charrua_database_connections_max", "Connections that may be in use at a time.", use=_USES)

logger = logging.getLogger(__name__)


class Values(Protocol):
    """Whatever gives a setting's value by its name: `Settings`, or a dictionary."""

    def __getitem__(self, name: str, /) -> Any: ...


class Database:
    """Open it with `Database.open`, close it with `close`."""

    def __init__(self, url: str, settings: Values, server: EmbeddedServer | None = None) -> None:
        self.url = url
        self._server = server
        timeout_ms = int(settings["database_statement_timeout"].total_seconds() * 1000)
        reading = {"statement_timeout": str(timeout_ms), "default_transaction_read_only": "on"}
        # What suits a search depends on what is searched for.
        searching = {**reading, "plan_cache_mode": "force_custom_plan"}
        size = settings["database_reading_pool_size"]
        self._writer = self._engine(settings["database_pool_size"])
        self._reader = self._engine(size, searching, isolation_level="AUTOCOMMIT")
        self._looker = self._engine(size, reading, isolation_level="AUTOCOMMIT")
        self._session = Session(self.connect)
        for use, engine in zip(_USES, (self._writer, self._reader, self._looker), strict=True):
            pool: Any = engine.pool
            _IN_USE.labels(use).set_function(pool.checkedout)
            _POOL.labels(use).set(pool.size())

    @classmethod
    async def open(cls, settings: Values) -> Database:
        """Open the database that `database_url` names, or the archive's own one in `data_dir`, started if need be.

        Raises DatabaseUnavailable where it cannot be reached, is older than PostgreSQL 15, or does not flush what it commits.
        """
        url, server = settings["database_url"], None
        if not url:
            server = EmbeddedServer.of(Path(settings["data_dir"]))
            await server.join()
            url = server.url(DATABASE)
        database = cls(url, settings, server)
        try:
            await database._check()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Close all connections; the last process of the archive stops its own PostgreSQL."""
        await self._session.close()
        await self._writer.dispose()
        await self._reader.dispose()
        await self._looker.dispose()
        if self._server is not None:
            await self._server.leave()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Commit what is done in the block, or nothing of it if it raises; then send its notifications.

        Raises DatabaseUnavailable when the connection is lost; see `commit_outcome_unknown`.
        """
        with _losses_named():
            async with self._writer.connect() as connection:
                told: dict[tuple[str, str], None] = {}
                connection.sync_connection.info[_TOLD] = told  # type: ignore[union-attr]
                async with connection.begin():
                    yield connection
        for channel, payload in told:
            self.announce(channel, payload)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Query in the block: each statement on its own (no transaction is held), no writing, and not for too long."""
        with _losses_named():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def driver(self, *, reading: bool = False, by_key: bool = False) -> AsyncIterator[asyncpg.Connection]:
        """Use asyncpg itself, on a connection for writing or `reading`: for the hot paths.

        `by_key` is for reading one row by its key, which need not be planned anew each time.
        JSON goes in as bytes, text or an object, and comes out as bytes. Write inside `async with connection.transaction()`,
        and call `announce` for what others should know of after it.
        """
        with _losses_named():
            engine = self._looker if by_key else self._reader if reading else self._writer
            async with engine.connect() as connection:
                try:
                    yield (await connection.get_raw_connection()).driver_connection
                except (asyncio.CancelledError, TimeoutError):
                    # A BEGIN that was on its way leaves a transaction open that nobody knows of: not for who comes next.
                    await connection.invalidate()
                    raise

    async def connect(self, **settings: str) -> asyncpg.Connection:
        """Give a connection outside the pools; the caller closes it. Starts the archive's own PostgreSQL if it has died."""
        try:
            return await self._connect(settings)
        except DatabaseUnavailable as error:
            if self._server is None or not isinstance(error.__cause__, OSError | asyncpg.CannotConnectNowError):
                raise
            logger.warning("the own PostgreSQL does not answer: %s", error)
        await self._server.revive()
        self.url = self._server.url(DATABASE)
        return await self._connect(settings)

    async def _connect(self, settings: dict[str, str]) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(self.url, timeout=WAIT_S, server_settings=_server_settings(settings))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailable(f"the database does not let us in: {error}") from error

    def notify(self, tx: AsyncConnection, channel: str, payload: str = "") -> None:
        """Notify the channel after the transaction of `transaction()` is committed."""
        notify(tx, channel, payload)

    def announce(self, channel: str, payload: str = "") -> None:
        """Notify the channel soon. Several alike become one; a crash may swallow it, so listeners also look by themselves."""
        self._session.announce(channel, payload)

    async def listen(self, channel: str, callback: Callback) -> Callable[[], None]:
        """Call back with the payload of each notification, and with "" after a reconnection.

        Gives the function that ends it.
        """
        return await self._session.listen(channel, callback)

    def singleton(self, name: str) -> AbstractAsyncContextManager[Held]:
        """Be the only one in the whole archive that holds this name: true inside the block while so, false if another is."""
        return self._session.singleton(name)

    async def upgrade(self, packages: Iterable[str]) -> None:
        """Bring the schema of each migrations package to its newest version; raises SchemaTooNew, having changed nothing."""
        async with self.driver(reading=True) as connection:
            behind = [package for package in packages if not await lineages.is_newest(connection, package)]
        if behind:
            # Only here: alembic takes longer to import than PostgreSQL to start, and most starts need none of it.
            from charrua_core.db.migrate import upgrade

            async with self._writer.begin() as connection:
                await connection.run_sync(upgrade, behind)

    def _engine(self, size: int, settings: dict[str, str] | None = None, **options: Any) -> AsyncEngine:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: self.connect(**settings or {}),
            pool_size=size,
            max_overflow=0,
            pool_timeout=WAIT_S,
            hide_parameters=True,  # a failing statement is logged, and its parameters are patients
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            **options,
        )
        engine.dialect.supports_native_json_deserialization = False  # `_decode` leaves bytes
        event.listen(engine.sync_engine, "connect", _set_up)
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        return engine

    async def _check(self) -> None:
        connection = await self._first_connection()
        try:
            if connection.get_server_version().major < OLDEST_SERVER:
                raise DatabaseUnavailable(f"PostgreSQL {OLDEST_SERVER} or newer is needed")
            for name, needed in (("synchronous_commit", "on"), ("fsync", "on"), ("server_encoding", "UTF8")):
                found = await connection.fetchval("SELECT current_setting($1)", name)
                if found != needed and (name, found) not in _AS_GOOD:
                    raise DatabaseUnavailable(f"the database has {name} = {found}; the archive needs {needed}")
        finally:
            await connection.close()

    async def _first_connection(self) -> asyncpg.Connection:
        try:
            return await self.connect()
        except DatabaseUnavailable as error:
            if self._server is None or not isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
                raise
        maintenance = await asyncpg.connect(self._server.url("postgres"))
        try:
            await maintenance.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await maintenance.close()
        return await self.connect()


_TOLD, _DRIVER = "charrua_told", "charrua_driver"
_AS_GOOD = {
    ("synchronous_commit", "local"),
    ("synchronous_commit", "remote_write"),
    ("synchronous_commit", "remote_apply"),
}


def notify(tx: AsyncConnection, channel: str, payload: str = "") -> None:
    """Notify the channel after the transaction is committed.

    Not within it: PostgreSQL would then commit one such transaction after the other, each waiting for its flush.
    """
    tx.sync_connection.info[_TOLD][channel, payload] = None  # type: ignore[union-attr]


async def driver_of(tx: AsyncConnection) -> asyncpg.Connection:
    """Give asyncpg's own connection, within a transaction of `Database.transaction`: for the statements of hot paths.

    JSON goes in and comes out as with `Database.driver`.
    """
    driver: asyncpg.Connection = tx.sync_connection.info[_DRIVER]  # type: ignore[union-attr]
    if not driver.is_in_transaction():
        await tx.exec_driver_sql("SELECT")  # SQLAlchemy begins a transaction with the first statement that it knows of
    return driver


@contextmanager
def _losses_named() -> Iterator[None]:
    """Raise DatabaseUnavailable for what says that the connection is lost or that none is free."""
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseUnavailable(f"no connection to the database became free in {WAIT_S:g} s") from error
    except DatabaseUnavailable:
        raise
    except Exception as error:
        if connection_lost(error):
            raise DatabaseUnavailable("the connection to the database is lost") from error
        raise


def _server_settings(settings: dict[str, str]) -> dict[str, str]:
    return {"application_name": "charrua", "timezone": "UTC", "jit": "off", **settings}


def _set_up(connection: Any, record: Any) -> None:
    record.info[_DRIVER] = connection.driver_connection
    connection.run_async(_set_json_codecs)


async def _set_json_codecs(driver: asyncpg.Connection) -> None:
    """Let JSON in as bytes, text or an object, and out as bytes."""
    for name, prefix in (("json", b""), ("jsonb", b"\x01")):  # the version of jsonb's format
        await driver.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=lambda value, prefix=prefix: prefix + _as_bytes(value),
            decoder=lambda value, prefix=prefix: value[len(prefix) :],
            format="binary",
        )


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else orjson.dumps(value)


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool make a new connection instead of one whose server has gone."""
    if connection.driver_connection.is_closed():
        raise exc.DisconnectionError("the server closed this connection")
