"""A simulated phone on the transaction and dialog layers, without sockets: places, answers and ends calls."""

from __future__ import annotations

from sip_bridge.dialog import Dialog
from sip_bridge.hooks import Hop
from sip_bridge.message import Request, Response
from sip_bridge.transaction_layer import Advertised, Outgoing, TransactionLayer
from sip_bridge.transaction_server import ServerTransaction

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP_TYPE = ("content-type", "application/sdp")


class Phone:
    """One phone at `host`:`port` that reaches everything through `proxy`."""

    def __init__(self, host: str, port: int, proxy: Hop) -> None:
        self.layer = TransactionLayer(Advertised(((host, port),)))
        self.layer.user = self
        self.hop = Hop("udp", host, port)
        self.proxy = proxy
        self.talking = 0
        self.ended = 0
        self.failed: list[int] = []
        self._dialogs: dict[str, Dialog] = {}
        self._ringing: dict[str, ServerTransaction] = {}
        self._acks: dict[str, Outgoing] = {}

    def place(self, call_id: str, now: float) -> None:
        """Call somebody."""
        opening = Dialog.as_client(call_id, "<sip:a@h>", self.layer.new_tag(), "<sip:b@h>", "sip:b@h", self.proxy)
        request = opening.request("INVITE", self.layer.contact(self.proxy), [SDP_TYPE], SDP)

        def on_response(response: Response, at: float) -> None:
            if response.status >= 300:
                self.failed.append(response.status)
            elif response.status >= 200:
                self._answered(opening, response)

        self.layer.send_request(request, self.proxy, on_response, now)

    def _answered(self, opening: Dialog, response: Response) -> None:
        call_id = opening.call_id
        if call_id in self._acks:
            self.layer.repeat(self._acks[call_id])
            return
        dialog = self._dialogs[call_id] = opening.fork(response)
        dialog.learn(response)
        ack = dialog.request("ACK", self.layer.contact(self.proxy), cseq=dialog.invite_cseq)
        self._acks[call_id] = self.layer.send_ack(ack, dialog.next_hop()[0])
        self.talking += 1

    def hang_up(self, call_id: str, now: float) -> None:
        """Say BYE if the call is up."""
        dialog = self._dialogs.pop(call_id, None)
        if dialog is None:
            return
        request = dialog.request("BYE", self.layer.contact(self.proxy))
        self.layer.send_request(request, dialog.next_hop()[0], self._bye_answered, now)

    def _bye_answered(self, response: Response, now: float) -> None:
        self.ended += 1
        if response.status >= 300:
            self.failed.append(response.status)

    def on_request(self, tx: ServerTransaction, request: Request, now: float) -> None:
        """Ring and answer, or end."""
        if request.method == "INVITE":
            tag = self.layer.new_tag()
            contact = ("contact", self.layer.contact(self.proxy))
            tx.respond(180, now, headers=[contact], to_tag=tag)
            tx.respond(200, now, headers=[contact, SDP_TYPE], body=SDP, to_tag=tag)
            self._ringing[request.call_id] = tx
        else:
            tx.respond(200, now)
            self.ended += request.method == "BYE"

    def on_ack(self, request: Request, now: float) -> None:
        """The call is up."""
        tx = self._ringing.pop(request.call_id, None)
        if tx is not None:
            tx.ack(now)
            self.talking += 1
