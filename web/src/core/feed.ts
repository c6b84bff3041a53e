/** The connection to the feed: signs in with a ticket, keeps the numbers, asks again after a gap, comes back by itself. */
import { backOff, type Timers } from "./timers";
import { type Delta, parseMessage, type ServerMessage, type SessionState, type Snapshot } from "./wire";

/** A browser WebSocket, as far as the feed needs it. */
export interface SocketLike {
  send(text: string): void;
  close(code?: number): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
}

/**
 * `connecting` until the first snapshot, `live` while messages come, `stale` after a silence or while coming back,
 * `out` when the server says that nobody is signed in here any more.
 */
export type FeedState = "connecting" | "live" | "stale" | "out";

export interface FeedParts {
  timers: Timers;
  random(): number;
  /** A one-use ticket; rejects with `SignedOut` if the page has no session. */
  ticket(): Promise<string>;
  open(): SocketLike;
  onSnapshot(message: Snapshot): void;
  onDelta(message: Delta): void;
  onSession(message: SessionState): void;
  onState(state: FeedState): void;
  /** A frame that is not what the protocol says; for the log. */
  onInvalid(reason: string): void;
}

/** Thrown by `ticket` when the page's session is over. */
export class SignedOut extends Error {}

// A board must say within 3 s that it is stale; a live feed may be quiet when nothing changes, so ask after one second.
const ASK_AFTER_MS = 1_000;
const STALE_AFTER_MS = 3_000;
/** A connection that stays silent this long is dead, whatever TCP says. */
const DEAD_AFTER_MS = 8_000;
const LOOK_EVERY_MS = 500;
const FIRST_WAIT_MS = 250;
const MOST_WAIT_MS = 5_000;

export class FeedClient {
  private socket: SocketLike | null = null;
  private state: FeedState = "connecting";
  private number: number | null = null;
  private resyncing = false;
  private heardAt = 0;
  private askedAt = 0;
  private attempt = 0;
  private closed = false;
  private cancelRetry: (() => void) | null = null;

  constructor(private readonly parts: FeedParts) {}

  start(): void {
    this.look();
    void this.connect();
  }

  stop(): void {
    this.closed = true;
    this.cancelRetry?.();
    this.drop();
  }

  /** Sends a speaking lease; false if there is no live connection to send it on. */
  key(session: string, mode: "listen" | "whisper" | "barge"): boolean {
    return this.send({ type: "key", session, mode });
  }

  private send(message: object): boolean {
    if (!this.socket || this.number === null) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private async connect(): Promise<void> {
    this.cancelRetry = null;
    try {
      const ticket = await this.parts.ticket();
      if (!this.closed) this.attach(this.parts.open(), ticket);
    } catch (error) {
      if (error instanceof SignedOut) this.become("out");
      else this.retry();
    }
  }

  private attach(socket: SocketLike, ticket: string): void {
    this.socket = socket;
    this.number = null;
    this.resyncing = false;
    this.heardAt = this.parts.timers.now();
    socket.onopen = () => socket.send(JSON.stringify({ type: "ticket", ticket }));
    socket.onmessage = (event) => {
      if (this.socket === socket && typeof event.data === "string") this.receive(event.data);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.drop();
      this.retry();
    };
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    this.number = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private retry(): void {
    if (this.closed || this.state === "out" || this.cancelRetry) return;
    if (this.state === "live") this.become("stale");
    const wait = backOff(this.attempt++, FIRST_WAIT_MS, MOST_WAIT_MS, () => this.parts.random());
    this.cancelRetry = this.parts.timers.after(wait, () => void this.connect());
  }

  private receive(text: string): void {
    const message = parseMessage(text);
    this.heardAt = this.parts.timers.now();
    if (message === null) return;
    if ("invalid" in message) {
      this.parts.onInvalid(message.invalid);
      this.resync();
      return;
    }
    this.handle(message);
    if (this.state === "stale" && this.number !== null && !this.resyncing) this.become("live");
  }

  private handle(message: ServerMessage): void {
    switch (message.type) {
      case "snapshot":
        this.number = message.n;
        this.resyncing = false;
        this.attempt = 0;
        this.parts.onSnapshot(message);
        this.become("live");
        break;
      case "delta":
        this.delta(message);
        break;
      case "session":
        this.parts.onSession(message);
        break;
      case "bye":
        this.bye(message.reason);
        break;
      case "pong":
        break;
    }
  }

  private delta(message: Delta): void {
    // Before the snapshot that was asked for, deltas belong to a state this page does not have.
    if (this.number === null || this.resyncing) return;
    if (message.n !== this.number + 1) {
      this.resync();
      return;
    }
    this.number = message.n;
    this.parts.onDelta(message);
  }

  private resync(): void {
    if (this.resyncing) return;
    this.resyncing = this.send({ type: "resync" });
  }

  private bye(reason: string): void {
    this.drop();
    if (reason === "signed_out") this.become("out");
    else this.retry();
  }

  private look(): void {
    if (this.closed) return;
    this.parts.timers.after(LOOK_EVERY_MS, () => this.look());
    if (!this.socket) return;
    const now = this.parts.timers.now();
    const silent = now - this.heardAt;
    if (silent >= DEAD_AFTER_MS) {
      this.drop();
      this.retry();
    } else if (silent >= STALE_AFTER_MS && this.state === "live") {
      this.become("stale");
    }
    if (silent >= ASK_AFTER_MS && now - this.askedAt >= ASK_AFTER_MS) {
      this.askedAt = now;
      this.send({ type: "ping" });
    }
  }

  private become(state: FeedState): void {
    if (state === this.state) return;
    this.state = state;
    this.parts.onState(state);
  }
}
