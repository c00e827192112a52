"""TLS of this archive as the settings have it, and a self-signed certificate for a site that has none yet."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from charrua_core.dicom.tls import client_context, server_context
from charrua_core.errors import SettingInvalid

if TYPE_CHECKING:
    from charrua_core.settings import Settings
    from charrua_core.types import Peer

_SELF_SIGNED_LASTS = timedelta(days=3650)


async def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Give the listener's context, None where `dicom_tls` is off. SettingInvalid where a file does not do."""
    mode = settings["dicom_tls"]
    if mode == "off":
        return None
    certificate, key = await own_certificate(settings)
    try:
        return server_context(mode, certificate, key, settings["dicom_tls_authorities"])
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"dicom_tls {mode} with the certificate {certificate}: {error}") from error


async def peer_tls_context(settings: Settings, peer: Peer) -> ssl.SSLContext | None:
    """Give the context for an association that we open, None for a peer without TLS. SettingInvalid as of `tls_context`."""
    if peer.tls_mode == "off":
        return None
    certificate, key = await own_certificate(settings)
    try:
        return client_context(peer.tls_mode, certificate, key, settings["dicom_tls_authorities"])
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"TLS {peer.tls_mode} of the peer {peer.aet}: {error}") from error


async def listener_expires(settings: Settings) -> datetime | None:
    """Give until when the listener's certificate is valid, None where `dicom_tls` is off. SettingInvalid if it is none."""
    if settings["dicom_tls"] == "off":
        return None
    certificate, _ = await own_certificate(settings)
    return await asyncio.to_thread(_expires, certificate)


def _expires(certificate: Path) -> datetime:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise SettingInvalid(f"the certificate {certificate} cannot be read: {error}") from error


async def own_certificate(settings: Settings) -> tuple[Path, Path | None]:
    """Give the files of the certificate and key, of a self-signed one that is made where the settings name none."""
    certificate: Path | None = settings["dicom_tls_certificate"]
    if certificate is not None:
        return certificate, settings["dicom_tls_key"]
    return await asyncio.to_thread(self_signed, Path(settings["data_dir"]) / "tls")


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Give certificate and key of this machine, made at the first call (manual, appendix 6: for testing)."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made, private = _make(socket.gethostname()[:64] or "charrua")
        _write(key, private)
        _write(certificate, made)
    return certificate, key


def _make(name: str) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _SELF_SIGNED_LASTS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return (
        certificate.public_bytes(encoding),
        private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain),
    )


def _write(path: Path, content: bytes) -> None:
    # Beside and then renamed: another worker must not read half a file.
    beside = path.with_suffix(f".{os.getpid()}")
    beside.touch(mode=0o600)
    beside.write_bytes(content)
    beside.replace(path)
