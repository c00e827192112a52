"""Calls over HTTP to a configured address, and nowhere else: certificates are checked, no redirect is followed."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from charrua_core.errors import EditInvalid, PeerUnreachable
from charrua_core.sending import SendFailed, State
from charrua_core.settings import Setting

URL = Setting("url", str, "", help="Where it is: http:// or https://.", since="0.1")
OPTIONS = (
    URL,
    Setting("user", str, "", help="Name for Basic authentication.", since="0.1"),
    Setting("password", str, "", secret=True, help="Password for Basic authentication.", since="0.1"),
    Setting("token", str, "", secret=True, help="Bearer token, in place of name and password.", since="0.1"),
    Setting(
        "ca_file",
        Path,
        None,
        help="Certificates (PEM) that the server's is checked against, in place of those of the machine.",
        since="0.1",
    ),
)
LONGEST_ANSWER = 16 << 20
_NEVER = frozenset({413, 415, 422})
"""Statuses by which an answer says that this very object will never be taken (RFC 9110)."""


def check_url(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the options if their URL can be called; EditInvalid says why not."""
    try:
        parts = urlsplit(options["url"])
        _ = parts.port
    except ValueError as error:
        raise EditInvalid(f"{options['url']!r} is no URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise EditInvalid(f"{options['url']!r} is no URL of http or https")
    if parts.username or parts.password:
        raise EditInvalid("name and password stand in `user` and `password`, not in the URL")
    if options["token"] and options["user"]:
        raise EditInvalid("a token takes the place of name and password")
    return options


def client(options: Mapping[str, Any], timeout_s: float) -> httpx.AsyncClient:
    """Give a client for the destination. SendFailed where its certificates cannot be read."""
    headers = {"Authorization": f"Bearer {options['token']}"} if options["token"] else {}
    auth = (options["user"], options["password"]) if options["user"] else None
    # No proxy and no .netrc of the environment: an address is what the administrator wrote, and nothing else.
    return httpx.AsyncClient(
        auth=auth, headers=headers, timeout=timeout_s, verify=_context(options), follow_redirects=False, trust_env=False
    )


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options["ca_file"])
    except (OSError, ssl.SSLError) as error:
        raise SendFailed(f"{options['ca_file']} holds no certificates that can be read") from error


async def call(with_client: httpx.AsyncClient, method: str, url: str, **what: Any) -> httpx.Response:
    """Give the answer, read to its end. PeerUnreachable says why there is none."""
    host = urlsplit(url).netloc
    try:
        async with with_client.stream(method, url, **what) as answer:
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > LONGEST_ANSWER:
                    raise SendFailed(f"{host} answers with more than {LONGEST_ANSWER >> 20} MiB")
            return httpx.Response(answer.status_code, headers=_plain(answer.headers), content=bytes(body))
    except httpx.TimeoutException as error:
        raise PeerUnreachable(f"{host} did not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        raise PeerUnreachable(f"{host}: {error or type(error).__name__}") from error


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """Without those of an encoding that has been undone."""
    encoded = {"content-encoding", "content-length", "transfer-encoding"}
    return [(name, value) for name, value in headers.multi_items() if name not in encoded]


def verdict(answer: httpx.Response) -> tuple[State, str]:
    """Give the state of `Outcome`, and why, that the status of an answer means for what was posted."""
    if answer.is_success:
        return "done", ""
    if answer.is_redirect:
        return "failed", f"HTTP {answer.status_code}: it is elsewhere, and no redirect is followed"
    return ("refused" if answer.status_code in _NEVER else "failed"), f"HTTP {answer.status_code}"
