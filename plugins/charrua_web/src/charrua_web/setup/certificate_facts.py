"""What is to be told of the certificates of DICOM and of the web server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrua_core.dicom.certificates import own_certificate
from charrua_core.errors import SettingInvalid
from charrua_web import certificates
from charrua_web.setup.saying import N_, Said

if TYPE_CHECKING:
    from charrua_core.app import App


async def all_certificates(app: App) -> list[dict[str, Any]]:
    """Give what is told of each: its use, whether it is in use, and what it says of itself."""
    return [await _dicom(app), await _web(app)]


async def _dicom(app: App) -> dict[str, Any]:
    mode, own = app.settings["dicom_tls"], app.settings["dicom_tls_certificate"] is None
    uses: dict[str, Said] = {
        "off": N_(
            "The DICOM listener speaks no TLS (dicom_tls is off); the certificate is shown to peers called by TLS."
        ),
        "encrypt": N_("The DICOM listener encrypts, and looks at nobody's certificate."),
        "request": N_("The DICOM listener checks a peer's certificate if it has one."),
        "require": N_("The DICOM listener takes only peers with a certificate of a trusted authority."),
    }
    told: dict[str, Any] = {"name": "DICOM", "use": uses[mode], "setting": "dicom_tls", "in_use": mode != "off"}
    if mode == "off" and own and not (Path(app.settings["data_dir"]) / "tls" / "certificate.pem").exists():
        return {**told, "none": N_("None is made until TLS is switched on.")}
    path, _ = await own_certificate(app.settings)
    return {**told, **await _read(path)}


async def _web(app: App) -> dict[str, Any]:
    told: dict[str, Any] = {"name": "Web", "setting": "web_tls"}
    try:
        certificate = certificates.in_force.get(app) or await certificates.Certificate.of(app.settings)
    except SettingInvalid as error:
        return {**told, "use": N_("The web server has a certificate that does not do."), "wrong": str(error)}
    if certificate is None:
        use = N_("The web server speaks http: give it a certificate, or put a reverse proxy with one before it.")
        return {**told, "use": use, "in_use": False, "none": N_("There is none.")}
    wrong = {"wrong": certificate.problem} if certificate.problem else {}
    use = N_("The web server speaks https.")
    return {**told, "use": use, "in_use": True, **wrong, **await _read(certificate.path)}


async def _read(path: Path) -> dict[str, Any]:
    try:
        return await asyncio.to_thread(_facts, path)
    except (OSError, ValueError) as error:
        return {"path": str(path), "wrong": str(error)}


def _facts(path: Path) -> dict[str, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    read = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = [str(one.value) for one in names]
    except x509.ExtensionNotFound:
        known = []
    left = read.not_valid_after_utc - datetime.now(UTC)
    return {
        "path": str(path),
        "subject": read.subject.rfc4514_string(),
        "issuer": read.issuer.rfc4514_string(),
        "self_signed": read.subject == read.issuer,
        "names": known,
        "begins": read.not_valid_before_utc,
        "ends": read.not_valid_after_utc,
        "days": left.days,
        "fingerprint": read.fingerprint(hashes.SHA256()).hex(":").upper(),
    }
