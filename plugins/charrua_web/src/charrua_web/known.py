"""Callers seen a moment ago: that they are who they say need not be proven anew with each request."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from charrua_core.types import Identity

MOST = 10_000


class Known:
    """Identities by their credentials, which are kept as a keyed digest; all are forgotten when any account changes."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[float, Identity]] = {}
        self._asking: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._changes = 0

    def forget(self) -> None:
        """Have everybody prove anew who they are."""
        self._changes += 1
        self._known.clear()

    async def identity(
        self, credentials: str, keep_s: float, ask: Callable[[], Awaitable[Identity | None]]
    ) -> Identity | None:
        """Give whose credentials these are, asking at most every `keep_s` seconds, and once for many at a time.

        What is asked for raises, or gives None, is not kept.
        """
        key = hashlib.blake2b(credentials.encode(errors="surrogatepass"), key=self._key, digest_size=32).digest()
        if (identity := self._get(key)) is not None:
            return identity
        async with self._asking.setdefault(key, asyncio.Lock()):
            if (identity := self._get(key)) is not None:
                return identity
            changes = self._changes
            identity = await ask()
            if identity is not None and changes == self._changes:
                self._keep(key, identity, keep_s)
            return identity

    def _get(self, key: bytes) -> Identity | None:
        until, identity = self._known.get(key, (0.0, None))
        return identity if until > time.monotonic() else None

    def _keep(self, key: bytes, identity: Identity, keep_s: float) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = (time.monotonic() + keep_s, identity)
