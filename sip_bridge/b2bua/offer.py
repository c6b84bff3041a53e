"""Which SDP body is an offer, which an answer (RFC 3264, RFC 6337)."""

from __future__ import annotations

from sip_bridge.hooks import SdpRole, Side


class Exchange:
    """The offer and answer carried by one INVITE, UPDATE or PRACK transaction."""

    __slots__ = ("_answer", "_offer", "offerer", "settled")

    def __init__(self) -> None:
        self.offerer: Side | None = None
        self.settled = False
        """Whether the answer came in a message that is sure to arrive."""
        self._offer = b""
        self._answer: tuple[str, bytes] | None = None

    def role(self, sender: Side, body: bytes, branch: str = "", reliable: bool = True) -> SdpRole:
        """Classify a body; `branch` tells forks apart, `reliable` is False in an unreliable 1xx.

        Servers often send ringback in a 183 and another description in the 200: a body that differs from the answer
        before it is an answer of its own (RFC 6337, 3.1.1 allows less, the world does it).
        """
        if self.offerer is None or (sender is self.offerer and body != self._offer):
            self.offerer = sender
            self._offer = body
            self._answer = None
            self.settled = False
            return SdpRole.OFFER
        if sender is self.offerer:
            return SdpRole.REPEAT
        self.settled = self.settled or reliable
        if self._answer == (branch, body):
            return SdpRole.REPEAT
        self._answer = (branch, body)
        return SdpRole.ANSWER

    @property
    def open(self) -> bool:
        """Whether an offer has had no answer of any kind."""
        return self.offerer is not None and self._answer is None
