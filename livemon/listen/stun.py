"""The part of STUN that an ICE-lite agent needs: Binding requests in, answers out (RFC 8489, RFC 8445).

No I/O. Bad bytes give a `BadStun`, never an exception.
"""

from __future__ import annotations

import hmac
import struct
import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Final

MAGIC: Final = 0x2112A442
_HEAD: Final = struct.Struct(">HHI12s")
_ATTRIBUTE: Final = struct.Struct(">HH")

BINDING_REQUEST: Final = 0x0001
_SUCCESS: Final = 0x0101
_ERROR: Final = 0x0111

_USERNAME: Final = 0x0006
_INTEGRITY: Final = 0x0008
_ERROR_CODE: Final = 0x0009
_UNKNOWN: Final = 0x000A
_XOR_MAPPED: Final = 0x0020
_PRIORITY: Final = 0x0024
_USE_CANDIDATE: Final = 0x0025
_FINGERPRINT: Final = 0x8028
_CONTROLLED: Final = 0x8029

_UNDERSTOOD: Final = frozenset({_USERNAME, _INTEGRITY, _PRIORITY, _USE_CANDIDATE})
# RFC 8489, 14.7: the CRC is XORed with this constant.
_FINGERPRINT_XOR: Final = 0x5354554E
# An attribute list longer than this is no Binding request of any browser; it bounds the work per datagram.
_MAX_ATTRIBUTES: Final = 32


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """A Binding request as it came; `local` is our half of the user name, `covered` what its integrity covers."""

    transaction: bytes
    local: str
    use_candidate: bool
    controlled: bool
    unknown: tuple[int, ...]
    covered: bytes
    integrity: bytes

    def is_signed_with(self, password: str) -> bool:
        """Return whether MESSAGE-INTEGRITY was made with `password` (RFC 8489, 14.5)."""
        return hmac.compare_digest(hmac.digest(password.encode(), self.covered, "sha1"), self.integrity)


@dataclass(frozen=True, slots=True)
class BadStun:
    """Why a datagram is no Binding request that can be answered."""

    reason: str


def parse(data: bytes) -> BindingRequest | BadStun:
    """Read a Binding request with user name and integrity; everything else is refused."""
    if len(data) < _HEAD.size:
        return BadStun("short")
    kind, length, magic, transaction = _HEAD.unpack_from(data)
    if magic != MAGIC or length % 4 or length + _HEAD.size != len(data):
        return BadStun("not_stun")
    if kind != BINDING_REQUEST:
        return BadStun("not_binding_request")
    return _read(data, transaction)


def _read(data: bytes, transaction: bytes) -> BindingRequest | BadStun:
    found: dict[int, bytes] = {}
    unknown: list[int] = []
    at = _HEAD.size
    while at + _ATTRIBUTE.size <= len(data):
        kind, size = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
        if len(value) != size or len(found) > _MAX_ATTRIBUTES:
            return BadStun("attributes")
        if kind == _INTEGRITY:
            # RFC 8489, 14.5: attributes after MESSAGE-INTEGRITY are ignored; the length it covers ends with itself.
            return _signed(data, at, value, transaction, found, unknown)
        found.setdefault(kind, value)
        if kind < 0x8000 and kind not in _UNDERSTOOD:
            unknown.append(kind)
        at += _ATTRIBUTE.size + (size + 3) // 4 * 4
    return BadStun("no_integrity")


def _signed(
    data: bytes, at: int, integrity: bytes, transaction: bytes, found: dict[int, bytes], unknown: list[int]
) -> BindingRequest | BadStun:
    if len(integrity) != 20 or _USERNAME not in found:
        return BadStun("no_username")
    covered_length = at - _HEAD.size + _ATTRIBUTE.size + 20
    covered = data[:2] + struct.pack(">H", covered_length) + data[4:at]
    local = found[_USERNAME].partition(b":")[0].decode("ascii", "replace")
    return BindingRequest(
        transaction, local, _USE_CANDIDATE in found, _CONTROLLED in found, tuple(unknown), covered, integrity
    )


def success(request: BindingRequest, host: str, port: int, password: str) -> bytes:
    """Return the answer that tells the browser the address its check came from (RFC 8489, 14.2)."""
    address = ip_address(host)
    family = 1 if isinstance(address, IPv4Address) else 2
    mask = struct.pack(">I", MAGIC) + request.transaction
    masked = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    value = struct.pack(">BBH", 0, family, port ^ (MAGIC >> 16)) + masked
    return _sign(_SUCCESS, request.transaction, _attribute(_XOR_MAPPED, value), password)


def error(request: BindingRequest, code: int, reason: str, password: str) -> bytes:
    """Return an error answer; 420 lists the attributes that were not understood (RFC 8489, 6.3.1)."""
    body = _attribute(_ERROR_CODE, struct.pack(">HBB", 0, code // 100, code % 100) + reason.encode())
    if code == 420:
        body += _attribute(_UNKNOWN, b"".join(struct.pack(">H", kind) for kind in request.unknown))
    return _sign(_ERROR, request.transaction, body, password)


def request(transaction: bytes, username: str, password: str, use_candidate: bool, controlled: bool = False) -> bytes:
    """Return a Binding request as a browser sends it; tests and probes use it."""
    body = _attribute(_USERNAME, username.encode()) + _attribute(_PRIORITY, struct.pack(">I", 1853824767))
    body += _attribute(_CONTROLLED if controlled else 0x802A, bytes(8))
    if use_candidate:
        body += _attribute(_USE_CANDIDATE, b"")
    return _sign(BINDING_REQUEST, transaction, body, password)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _sign(kind: int, transaction: bytes, body: bytes, password: str) -> bytes:
    covered = _HEAD.pack(kind, len(body) + 24, MAGIC, transaction) + body
    body += _attribute(_INTEGRITY, hmac.digest(password.encode(), covered, "sha1"))
    checked = _HEAD.pack(kind, len(body) + 8, MAGIC, transaction) + body
    return checked + _attribute(_FINGERPRINT, struct.pack(">I", zlib.crc32(checked) ^ _FINGERPRINT_XOR))
