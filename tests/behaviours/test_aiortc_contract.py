"""What we rely on inside aiortc and aioice, so that a new version fails here and not in a session."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

import aioice.ice
from aiortc import rtcdtlstransport
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport


def test_the_versions_are_the_ones_that_were_read() -> None:
    assert version("aiortc").startswith("1.16.")
    assert version("aioice").startswith("0.13.")


def test_the_dtls_transport_has_the_members_we_use() -> None:
    class Path:
        role = "controlled"

        async def _recv(self) -> bytes:
            raise ConnectionError

        async def _send(self, data: bytes) -> None:
            raise ConnectionError

    dtls = RTCDtlsTransport(Path(), [RTCCertificate.generateCertificate()])  # type: ignore[arg-type]
    dtls._set_role("client")
    assert dtls._role == "client"
    assert dtls._rx_srtp is None
    assert dtls._tx_srtp is None
    assert dtls.state == "new"
    assert inspect.iscoroutinefunction(dtls.start)
    assert inspect.iscoroutinefunction(dtls.stop)
    assert callable(dtls.on)
    assert callable(dtls.remove_all_listeners)


def test_the_dtls_transport_uses_nothing_else_of_its_ice_transport() -> None:
    source = inspect.getsource(rtcdtlstransport)
    used = set(re.findall(r"self\._?transport\.(\w+)", source))
    assert used == {"_recv", "_send", "role"}


def test_parameters_and_fingerprints_are_plain_data() -> None:
    parameters = RTCDtlsParameters([RTCDtlsFingerprint("sha-256", "AB")])
    assert parameters.fingerprints[0].algorithm == "sha-256"
    first = RTCCertificate.generateCertificate().getFingerprints()[0]
    assert first.algorithm == "sha-256"
    assert len(first.value) == 95


def test_aioice_lists_the_addresses_of_the_host() -> None:
    assert isinstance(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False), list)
