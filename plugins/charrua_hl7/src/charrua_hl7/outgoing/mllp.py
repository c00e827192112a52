"""One message over MLLP: a connection of its own, the message, its answer, and the end (HL7 v2 transport, MLLP release 1).

Each message has its own connection: a receiver then never holds one that this archive believes to be open, an answer can
only be of the message that was sent, and a pause in the traffic costs nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from charrua_core.dicom.certificates import own_certificate
from charrua_core.dicom.tls import client_context
from charrua_core.errors import SettingInvalid
from charrua_hl7.outgoing.errors import (
    AddressUnknown,
    AnswerUnreadable,
    CertificateRefused,
    NotDelivered,
    TlsFailed,
    Unanswered,
    Unreachable,
)
from charrua_hl7.outgoing.receiver import Receiver

if TYPE_CHECKING:
    from charrua_core.settings import Settings

BEGIN, END = b"\x0b", b"\x1c\r"
CONNECT_S, ANSWER_S, CLOSE_S = 10.0, 30.0, 2.0
MOST_ANSWERED = 1 << 20  # bytes
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def exchange(settings: Settings, receiver: Receiver, content: bytes) -> bytes:
    """Send a message and give what is answered, without its frame. Raises NotDelivered."""
    async with _connected(settings, receiver) as (reader, writer):
        try:
            async with asyncio.timeout(ANSWER_S):
                writer.write(BEGIN + content + END)
                await writer.drain()
                return _unframed(await reader.readuntil(END))
        except TimeoutError as error:
            raise Unanswered(f"it did not answer within {ANSWER_S:g} s") from error
        except asyncio.LimitOverrunError as error:
            raise AnswerUnreadable(f"its answer does not end within {MOST_ANSWERED} bytes") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Unanswered("it ended the connection without an answer") from error


async def reach(settings: Settings, receiver: Receiver) -> float:
    """Connect, with TLS where that is set, send nothing, and give the seconds that it took. Raises NotDelivered."""
    began = time.perf_counter()
    async with _connected(settings, receiver):
        return time.perf_counter() - began


def _unframed(answer: bytes) -> bytes:
    begin = answer.find(BEGIN)
    if begin < 0:
        raise AnswerUnreadable("its answer has no frame of MLLP")
    return answer[begin + 1 : -len(END)]


@asynccontextmanager
async def _connected(settings: Settings, receiver: Receiver) -> AsyncIterator[_Streams]:
    context = await tls_of(settings, receiver)
    try:
        async with asyncio.timeout(CONNECT_S):
            streams = await asyncio.open_connection(
                receiver.host,
                receiver.port,
                ssl=context,
                limit=MOST_ANSWERED,
                server_hostname=_shown(receiver, context),
            )
    except (OSError, TimeoutError) as error:
        raise _told(receiver, error) from error
    try:
        yield streams
    finally:
        await _close(streams[1])


def _shown(receiver: Receiver, context: ssl.SSLContext | None) -> str | None:
    return receiver.host if context else None


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):  # it is of no use any more
        writer.transport.abort()


async def tls_of(settings: Settings, receiver: Receiver) -> ssl.SSLContext | None:
    """Give the context for a connection to the receiver; SettingInvalid where the archive's certificates will not do.

    Host names are not compared, as of DICOM peers: the authority decides (`charrua_core.dicom.tls.client_context`).
    """
    if receiver.tls == "off":
        return None
    try:
        certificate, key = await own_certificate(settings)
        mode = "require" if receiver.tls == "verify" else "encrypt"
        return client_context(mode, certificate, key, settings["dicom_tls_authorities"])
    except (OSError, ValueError, SettingInvalid) as error:
        raise TlsFailed(f"the certificates of this archive (dicom_tls_…) will not do: {error}") from error


def _told(receiver: Receiver, error: OSError | TimeoutError) -> NotDelivered:
    """Give what keeps a connection from being made, as a sentence."""
    place = f"{receiver.host}:{receiver.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateRefused(f"its certificate will not do: {error.verify_message}")
    if isinstance(error, ssl.SSLError | ConnectionResetError):
        how = "it ended the connection" if isinstance(error, ConnectionResetError) else (error.reason or "TLS failed")
        return TlsFailed(f"TLS with {place} could not begin: {how}") if receiver.tls != "off" else Unreachable(f"{how}")
    if isinstance(error, socket.gaierror):
        return AddressUnknown(f"there is no host {receiver.host}")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{place} does not take a connection within {CONNECT_S:g} s")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"nobody listens at {place}")
    return Unreachable(f"{place} cannot be reached: {error.strerror or type(error).__name__}")
