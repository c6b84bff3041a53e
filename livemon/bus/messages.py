"""What nodes and the web process say to each other over the bus (msgpack, by msgspec).

Topics: `calls.<node>` (NodeUpdate), `directory` (Directory, retained), `principal` (PrincipalChanged),
`session.<node>` (SessionState), `audit.<node>` (AuditEntries), `node.<node>` (NodeHealth).
Requests go to the target `node.<node>` or `web`; their methods are listed in `METHODS`.
All *_ms that are marked "epoch" are UTC milliseconds; all others count from the interaction's start.
"""

from __future__ import annotations

from typing import Literal

import msgspec

CallState = Literal["ringing", "early", "talking", "hold", "transfer", "ended"]
Mode = Literal["listen", "whisper", "barge"]
PartyName = Literal["agent", "customer", "third", "coach", "machine"]
Severity = Literal["warn", "alert", "critical"]
Right = Literal[
    "listen",
    "whisper",
    "barge",
    "takeover",
    "replay",
    "download",
    "score",
    "export",
    "view",
    "audit",
    "manage",
]


class Agent(msgspec.Struct, frozen=True):
    """A person of the agent directory; `addresses` are AORs, extensions or header values in lower case."""

    id: str
    name: str
    number: str
    team: str
    queues: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Team(msgspec.Struct, frozen=True):
    """A team of agents."""

    id: str
    name: str


class QueueEntry(msgspec.Struct, frozen=True):
    """A queue and its thresholds in ms; None keeps the default."""

    id: str
    name: str
    dead_air_warn_ms: int | None = None
    dead_air_alert_ms: int | None = None
    dead_air_critical_ms: int | None = None
    hold_warn_ms: int | None = None
    hold_alert_ms: int | None = None


class Directory(msgspec.Struct, frozen=True):
    """The whole agent directory; a new one replaces the old one."""

    version: int
    agents: tuple[Agent, ...]
    teams: tuple[Team, ...]
    queues: tuple[QueueEntry, ...]


class Principal(msgspec.Struct, frozen=True):
    """Who acts: rights, and the scope they hold for; `teams`, `queues` None means all of them.

    Only `all_calls` principals see interactions whose agent is `unassigned`.
    """

    user_id: str
    name: str
    role: str
    rights: tuple[Right, ...]
    all_calls: bool
    teams: tuple[str, ...] | None = None
    queues: tuple[str, ...] | None = None


class PrincipalChanged(msgspec.Struct, frozen=True):
    """A user's rights, scope or sign-in changed; `principal` None means: signed out or disabled, cut everything."""

    user_id: str
    principal: Principal | None


class CallView(msgspec.Struct, frozen=True):
    """The slow-changing description of one live interaction."""

    id: str
    segment: str
    node: str
    bridge: str
    trunk: str
    placement: Literal["station", "trunk"]
    direction: Literal["inbound", "outbound", "internal"]
    state: CallState
    hold_by: Literal["", "agent", "customer"]
    agent_id: str
    agent_name: str
    agent_number: str
    team: str
    team_name: str
    queue: str
    queue_name: str
    customer: str
    started_at_ms: int
    """Epoch."""
    answered_at_ms: int | None
    """Epoch."""
    state_since_ms: int
    """Epoch."""
    capabilities: tuple[str, ...]
    refused: dict[str, str]
    """Capability name -> reason id, e.g. {"whisper": "agent_has_two_lines"}."""
    listeners: int
    modes: tuple[Mode, ...]
    proof_failures: int
    agent_leg: int | None
    customer_leg: int | None


class CallFigures(msgspec.Struct, frozen=True, array_like=True):
    """The numbers of one interaction, once a second."""

    id: str
    silence_ms: int
    """Length of the running silence, 0 while somebody speaks."""
    silence_cause: str
    """hold, music, ringing, network, no_packets, tap_lost, agent_muted, unexplained, or ""."""
    speaking: int
    """Bits: 1 agent, 2 customer, 4 third, 8 coach."""
    talkover_ms: int
    """Length of the running talk-over, 0 if none."""
    agent_talk_ms: int
    customer_talk_ms: int
    overlap_ms: int
    silence_total_ms: int
    longest_silence_ms: int
    dead_air_events: int
    interruptions: int
    hold_ms: int
    agent_dbfs: float
    customer_dbfs: float
    agent_loss_permille: int
    customer_loss_permille: int


class Spurt(msgspec.Struct, frozen=True, array_like=True):
    """One stretch of speech in ms from the interaction's start; `end_ms` grows until `open` is False."""

    call: str
    party: PartyName
    start_ms: int
    end_ms: int
    open: bool


class AlertView(msgspec.Struct, frozen=True):
    """An alert as pages show it; `text_id` and `params` go through the page's string catalogue."""

    id: str
    call: str
    rule: Literal["dead_air", "talk_over", "hold", "proof", "whisper_echo", "interruptions"]
    severity: Severity
    state: Literal["raised", "cleared"]
    raised_at_ms: int
    """Epoch."""
    since_ms: int
    """Epoch ms at which the condition itself began (silence start, hold start)."""
    value_ms: int
    cleared_at_ms: int | None = None


class NodeUpdate(msgspec.Struct, frozen=True):
    """Topic `calls.<node>`: what changed since the update before; `full` marks a complete state."""

    node: str
    seq: int
    now_ms: int
    """Epoch."""
    full: bool
    calls: tuple[CallView, ...] = ()
    gone: tuple[str, ...] = ()
    figures: tuple[CallFigures, ...] = ()
    spurts: tuple[Spurt, ...] = ()
    alerts: tuple[AlertView, ...] = ()
    sessions: tuple[SessionState, ...] = ()
    """Of a complete state: every open listening session; one that is not named has died with an earlier process."""


class NodeHealth(msgspec.Struct, frozen=True):
    """Topic `node.<node>`, once a second: bridges attached and what the node carries."""

    node: str
    now_ms: int
    bridges: tuple[str, ...]
    calls: int
    sessions: int
    tick_late_ms: float
    counters: dict[str, float]


class ListenOpen(msgspec.Struct, frozen=True):
    """Method `listen.open`: a supervisor wants to hear `call`."""

    principal: Principal
    call: str
    sdp: str
    """Empty for the WebSocket fallback."""
    remote: str
    """Address of the browser, for the audit record."""
    reason: str = ""


class ListenOpened(msgspec.Struct, frozen=True):
    """Answer to `listen.open`; `fallback_url` and `fallback_ticket` open the WebSocket fallback."""

    session: str
    sdp: str
    fallback_url: str
    fallback_ticket: str


class ListenMode(msgspec.Struct, frozen=True):
    """Method `listen.mode`; `lease_ms` None keeps the mode until it is changed, else it falls back to listen."""

    principal: Principal
    session: str
    mode: Mode
    lease_ms: int | None = None


class ListenHop(msgspec.Struct, frozen=True):
    """Method `listen.hop`: the same connection now hears another call."""

    principal: Principal
    session: str
    call: str
    reason: str = ""


class ListenRestart(msgspec.Struct, frozen=True):
    """Method `listen.restart`: an ICE restart or renegotiation with a new offer."""

    principal: Principal
    session: str
    sdp: str


class ListenClose(msgspec.Struct, frozen=True):
    """Method `listen.close`."""

    principal: Principal
    session: str


class SessionState(msgspec.Struct, frozen=True):
    """Topic `session.<node>` (at every change, and 10 times a second while speaking), and answer to most methods."""

    session: str
    user_id: str
    call: str
    mode: Mode
    state: Literal["connecting", "connected", "closed"]
    refused: str = ""
    """Why the wanted mode is not in force: a reason id, or ""."""
    whisper_dbfs: float = -96.0
    """Level that was really mixed into the agent leg in the last 100 ms."""
    whispered_ms: int = 0
    """How much supervisor audio the agent leg has really been sent in this session."""
    heard_ms: int = 0
    transport: Literal["webrtc", "websocket"] = "webrtc"
    now_ms: int = 0


METHODS = (
    "snapshot",  # {} -> NodeUpdate(full=True)
    "listen.open",  # ListenOpen -> ListenOpened
    "listen.mode",  # ListenMode -> SessionState
    "listen.hop",  # ListenHop -> SessionState
    "listen.restart",  # ListenRestart -> ListenOpened
    "listen.close",  # ListenClose -> SessionState
    "audit.pull",  # AuditPull -> AuditEntries
)


class AuditPull(msgspec.Struct, frozen=True):
    """Method `audit.pull`: the journal lines of `writer` after sequence number `after`, at most `limit`."""

    writer: str
    after: int
    limit: int = 500


class AuditEntries(msgspec.Struct, frozen=True):
    """Journal lines exactly as they stand in the file (their bytes are what the hash chain covers)."""

    writer: str
    lines: tuple[bytes, ...]
