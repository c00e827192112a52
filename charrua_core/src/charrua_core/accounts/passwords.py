"""Passwords: argon2id, in threads, two at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from charrua_core.errors import EditInvalid

_hasher = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=1)  # about 0.2 s and 64 MiB each
_threads = ThreadPoolExecutor(2, "password")  # a flood of log-ins takes 128 MiB and no more
_LONGEST = 256


async def hash_password(password: str) -> str:
    """Give the hash to keep."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify_password(password: str, kept: str | None) -> bool:
    """Whether it is the password; as slow for a name that does not exist (`kept` None) as for one that does."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, password, kept)


@cache
def _nobody() -> str:
    return _hasher.hash("no account has this hash")


def _verify(password: str, kept: str | None) -> bool:
    try:
        return _hasher.verify(kept or _nobody(), password[:_LONGEST]) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def check_strength(password: str, name: str, shortest: int) -> None:
    """Raise EditInvalid, with the reason, if the password will not do."""
    if len(password) < shortest:
        raise EditInvalid(f"a password has at least {shortest} characters")
    if len(password) > _LONGEST:
        raise EditInvalid(f"a password has at most {_LONGEST} characters")
    if password.lower() in {
        name.lower(),
        "password",
        "charrua",
        "charruapacs",
        "administrator",
        "12345678",
        "123456789",
    }:
        raise EditInvalid("this password is among the first that anybody tries")
