"""What a page may load and run: the header Content-Security-Policy, without an exception for scripts in the page itself."""

from __future__ import annotations

from collections.abc import Mapping

_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "media-src": "'self' blob:",
    "frame-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_COMPILING = {
    "script-src": "'self' 'wasm-unsafe-eval'",
    "worker-src": "'self' blob:",
    "connect-src": "'self' blob: data:",
}


def policy(*, compiles: bool = False) -> str:
    """Give the policy; `compiles` also lets WebAssembly be compiled, as decoders of images are, in workers."""
    parts = {**_POLICY, **(_COMPILING if compiles else {})}
    return "; ".join(f"{name} {sources}" for name, sources in parts.items())


def headers(*, compiles: bool = False) -> tuple[tuple[str, str], ...]:
    """Give the headers of a page: its policy, and that nobody keeps it or learns from where it was left."""
    return (
        ("content-security-policy", policy(compiles=compiles)),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), payment=(), usb=()"),
        ("cache-control", "no-store"),
    )
