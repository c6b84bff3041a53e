/** One supervisor's listening: opens, hops, falls back, comes back by itself, stops. No framework; transports are given. */
import { ApiError } from "./api";
import { backOff, type Timers } from "./timers";
import type { SessionState } from "./wire";

/** `fallback` words the way, not a fault: the sound is there, with more delay. */
export type ListenState = "idle" | "connecting" | "listening" | "reconnecting" | "failed" | "ended";

export interface ListenTransport {
  readonly kind: "webrtc" | "websocket";
  readonly session: string;
  setMicrophone(track: MediaStreamTrack | null): void;
  onLost: (() => void) | null;
  close(): void;
}

export interface ListeningParts {
  timers: Timers;
  random(): number;
  openWebRtc(call: string): Promise<ListenTransport>;
  openWebSocket(call: string): Promise<ListenTransport>;
  /** True for the error that means "no route"; its session, if one was opened. */
  noRoute(error: unknown): { session: string } | null;
  hop(session: string, call: string): Promise<unknown>;
  closeSession(session: string): Promise<unknown>;
  onChange(view: ListeningView): void;
}

export interface ListeningView {
  state: ListenState;
  call: string | null;
  session: string | null;
  transport: "webrtc" | "websocket" | null;
  /** Reason id when `failed`, or of a hop that was refused. */
  reason: string;
}

/** Reasons after which trying again by itself would be wrong or useless. */
const FINAL = new Set([
  "no_right",
  "not_in_scope",
  "private_call",
  "signed_out",
  "not_signed_in",
  "audit_unavailable",
  "closed_by_user",
]);
const ENDED = new Set(["call_gone", "call_ended", "no_such_call"]);
/** What a server says that has no session of this name, or has the call on another node. */
const NO_HOP = new Set(["no_such_session", "not_found", "other_node"]);
/** Reasons that pass by themselves within seconds, as after a restart of a node. */
const PASSING = new Set(["bridge_away", "bus_away", "node_silent", "node_stops", "busy", "not_connected"]);
const FIRST_WAIT_MS = 300;
/** A restarted process is back within 3 s; whoever waits for it must not sleep through that. */
const MOST_WAIT_MS = 1_000;
/** The node died and is back already when it says so: nothing to wait for. */
const BACK_ALREADY = "node_lost";

/** The node has no UDP port at all; the fallback needs none. */
function noPort(error: unknown): boolean {
  return error instanceof ApiError && error.id === "no_webrtc";
}

export class Listening {
  private view: ListeningView = { state: "idle", call: null, session: null, transport: null, reason: "" };
  private transport: ListenTransport | null = null;
  /** Counts what the person asked for; an answer to an older wish is closed at once. */
  private wish = 0;
  private attempt = 0;
  private cancelRetry: (() => void) | null = null;
  /** Once this network has shown that WebRTC does not connect, do not make every click wait 4 s. */
  private preferWebSocket = false;

  constructor(private readonly parts: ListeningParts) {}

  get current(): ListeningView {
    return this.view;
  }

  /** Listens to `call`: the open connection hops if there is one. */
  async listen(call: string): Promise<void> {
    if (call === this.view.call && ["connecting", "listening", "reconnecting"].includes(this.view.state)) return;
    const wish = ++this.wish;
    this.cancelRetry?.();
    this.cancelRetry = null;
    this.attempt = 0;
    if (this.transport && this.view.state === "listening") await this.hop(this.transport, call, wish);
    else await this.open(call, wish);
  }

  stop(): void {
    this.wish++;
    this.end("idle", "");
  }

  setMicrophone(track: MediaStreamTrack | null): void {
    this.transport?.setMicrophone(track);
  }

  /** The call left the feed. */
  callGone(call: string): void {
    if (call !== this.view.call || this.view.state === "ended" || this.view.state === "idle") return;
    this.wish++;
    this.end("ended", "");
  }

  /** A session state of the feed; true if it is about the session in use. */
  session(state: SessionState): boolean {
    if (state.session !== this.view.session) return false;
    if (state.state === "closed") this.closedByServer(state.refused);
    return true;
  }

  private closedByServer(reason: string): void {
    if (FINAL.has(reason) || ENDED.has(reason)) {
      this.wish++;
      this.finish(reason);
    } else {
      this.lost(this.wish, reason === BACK_ALREADY ? 0 : undefined);
    }
  }

  private async hop(transport: ListenTransport, call: string, wish: number): Promise<void> {
    const before = this.view;
    this.show({ ...before, call, state: "connecting", reason: "" });
    try {
      await this.parts.hop(transport.session, call);
      if (wish === this.wish) this.show({ ...this.view, state: "listening" });
    } catch (error) {
      if (wish !== this.wish) return;
      const reason = error instanceof ApiError ? error.id : "unreachable";
      // A session on another node cannot hop; a new one can be opened there.
      if (NO_HOP.has(reason)) {
        this.release();
        await this.open(call, wish);
      } else {
        this.show({ ...before, reason });
      }
    }
  }

  private async open(call: string, wish: number): Promise<void> {
    this.release();
    this.show({
      state: this.attempt ? "reconnecting" : "connecting",
      call,
      session: null,
      transport: null,
      reason: "",
    });
    try {
      this.take(await this.connect(call), wish);
    } catch (error) {
      if (wish === this.wish) this.failed(error, wish);
    }
  }

  private async connect(call: string): Promise<ListenTransport> {
    if (this.preferWebSocket) return this.parts.openWebSocket(call);
    try {
      return await this.parts.openWebRtc(call);
    } catch (error) {
      const none = noPort(error) ? { session: "" } : this.parts.noRoute(error);
      if (!none) throw error;
      if (none.session) void this.parts.closeSession(none.session).catch(() => undefined);
      this.preferWebSocket = true;
      return this.parts.openWebSocket(call);
    }
  }

  private take(transport: ListenTransport, wish: number): void {
    if (wish !== this.wish) {
      transport.close();
      void this.parts.closeSession(transport.session).catch(() => undefined);
      return;
    }
    this.transport = transport;
    this.attempt = 0;
    transport.onLost = () => this.lost(wish);
    this.show({ ...this.view, state: "listening", session: transport.session, transport: transport.kind, reason: "" });
  }

  private failed(error: unknown, wish: number): void {
    const reason = error instanceof ApiError ? error.id : "no_route";
    const passing =
      !(error instanceof ApiError) ||
      error.status === 0 ||
      error.status >= 500 ||
      PASSING.has(reason) ||
      // A node that comes back learns its calls one by one; that a call is over, the feed says.
      (this.attempt > 0 && ENDED.has(reason));
    if (passing && !FINAL.has(reason)) this.lost(wish);
    else this.finish(reason);
  }

  private finish(reason: string): void {
    if (ENDED.has(reason)) this.end("ended", "");
    else this.end("failed", reason);
  }

  /** The sound is gone but still wanted. */
  private lost(wish: number, atOnce?: 0): void {
    const call = this.view.call;
    if (wish !== this.wish || call === null || this.cancelRetry) return;
    this.release();
    this.preferWebSocket = false;
    const wait = atOnce ?? backOff(this.attempt++, FIRST_WAIT_MS, MOST_WAIT_MS, () => this.parts.random());
    this.show({ ...this.view, state: "reconnecting", session: null, transport: null });
    this.cancelRetry = this.parts.timers.after(wait, () => {
      this.cancelRetry = null;
      if (wish === this.wish) void this.open(call, wish);
    });
  }

  private release(): void {
    const transport = this.transport;
    this.transport = null;
    if (!transport) return;
    transport.setMicrophone(null);
    transport.close();
    void this.parts.closeSession(transport.session).catch(() => undefined);
  }

  private end(state: "idle" | "failed" | "ended", reason: string): void {
    this.cancelRetry?.();
    this.cancelRetry = null;
    this.attempt = 0;
    this.release();
    const call = state === "idle" ? null : this.view.call;
    this.show({ state, call, session: null, transport: null, reason });
  }

  private show(view: ListeningView): void {
    this.view = view;
    this.parts.onChange(view);
  }
}
