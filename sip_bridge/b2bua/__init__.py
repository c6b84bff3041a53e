"""The transparent B2BUA: two independent dialogs per call, everything passed that need not be changed.

How the pieces are put together (all cores; only `SipShell` does I/O):

    layer = TransactionLayer(Advertised(udp=(("192.0.2.1", 5060),), tcp=(("192.0.2.1", 5060),)))
    registrar = Registrar(layer, router, journal=on_binding)
    b2bua = B2bua(layer, router, media, observer, registrar=registrar, journal=on_dump)
    shell = SipShell(layer, udp_sockets, tcp_sockets)
    await shell.start()

Signatures:

    sip_bridge.transaction_layer
        Advertised(udp: tuple[tuple[str, int], ...], tcp: tuple[tuple[str, int], ...] = ())
            the address written into Via and Contact, one for each socket in the order given to SipShell
        TransactionLayer(advertised, timing=Timing(), limits=LayerLimits())
            .user: TransactionUser            set by B2bua; a phone sets itself
            .receive(data: bytes, source: Hop, now)        one datagram, or one message cut from a stream
            .send_request(request, hop, on_response, now, fallback=None) -> ClientTransaction
            .send_ack(request, hop, fallback=None) -> Outgoing   the ACK to a 2xx; .repeat(outgoing) sends it again
            .contact(hop, user="") -> str                  our Contact value towards that hop
            .due() -> float | None  .tick(now)  .drain() -> list[Outgoing(hop, data, fallback)]
            .counters: Counter[str]
        TransactionUser: on_request(tx: ServerTransaction, request, now), on_ack(request, now)
        ServerTransaction: .respond(status, now, reason="", headers=(), body=b"", to_tag="") -> bool,
            .ack(now), .on_cancel(request, now), .on_no_ack(now), .request
        ClientTransaction: .cancel(now, headers=())
        on_response(response: Response, now): every response that matters; a timeout is a 408 and a dead
            transport a 503 with `.generated` set (RFC 3261, 8.1.3.1)
    sip_bridge.dialog
        Dialog.as_server(request, local_tag), Dialog.as_client(request), .learn(response), .request(method, ...)
    sip_bridge.b2bua.core
        B2bua(layer, router, media, observer, registrar=None, journal=None, settings=B2buaSettings())
            .draining: bool                   True: new INVITEs get 503 with Retry-After
            .hang_up(call, reason, now) -> bool            BYE or CANCEL on both sides
            .dump(call) -> dict | None        .restore(data, now) -> str | None (the call's key)
            .calls: Mapping[str, Call]        .idle: bool (no call is left, for the drain)
        journal(call: str, dump: dict | None, now)         the dump changed; None: the call is over
    sip_bridge.registrar
        Registrar(layer, router, journal=None, limits=RegistrarLimits())
            .locate(request_uri) -> Binding(token, aor, contact, hop, expires_at) | None
            .dump(token) -> dict | None       .restore(data, now) -> str | None (the token)
        journal(token: str, dump: dict | None, now)
        The Router is asked for every request, also those to a token; the Hop and request URI of a binding
        replace those of its Route.
    sip_bridge.endpoint
        SipShell(layer, udp: Sequence[socket], tcp: Sequence[socket] = (), gate: SourceGate | None = None,
                 limits: StreamLimits = StreamLimits())
            await .start()   await .close()
            .flush()         after anything that calls into the cores from outside (hang_up): sends what is queued

Times are seconds of one monotonic clock (`loop.time()` in the shell).
"""
