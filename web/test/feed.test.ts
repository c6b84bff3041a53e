/** The feed connection: ticket, numbers, gaps, silence, coming back. */
import { beforeEach, describe, expect, test } from "vitest";
import { FeedClient, type FeedState, SignedOut, type SocketLike } from "../src/core/feed";
import type { Delta, SessionState, Snapshot } from "../src/core/wire";
import { aCall, CountedTimers, figuresRow } from "./support";

class FakeSocket implements SocketLike {
  sent: { type: string; [member: string]: unknown }[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.closed = true;
  }
  get types(): string[] {
    return this.sent.map((message) => message.type);
  }
  tell(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

const ME = { user: "sam", name: "Sam", role: "supervisor", rights: ["listen"] };
const snapshot = (n: number) => ({
  type: "snapshot",
  n,
  now_ms: 5,
  me: ME,
  calls: [aCall(0)],
  figures: [],
  spurts: [],
  alerts: [],
});
const delta = (n: number) => ({ type: "delta", n, now_ms: 6, figures: [figuresRow(0)] });

let timers: CountedTimers;
let sockets: FakeSocket[];
let states: FeedState[];
let got: (Snapshot | Delta | SessionState)[];
let invalid: string[];
let ticket: () => Promise<string>;
let feed: FeedClient;
const socket = () => {
  const last = sockets[sockets.length - 1];
  if (!last) throw new Error("no socket was opened");
  return last;
};

beforeEach(() => {
  timers = new CountedTimers();
  sockets = [];
  states = [];
  got = [];
  invalid = [];
  ticket = () => Promise.resolve("t1");
  feed = new FeedClient({
    timers,
    random: () => 1,
    ticket: () => ticket(),
    open: () => {
      const opened = new FakeSocket();
      sockets.push(opened);
      return opened;
    },
    onSnapshot: (message) => got.push(message),
    onDelta: (message) => got.push(message),
    onSession: (message) => got.push(message),
    onState: (state) => states.push(state),
    onInvalid: (reason) => invalid.push(reason),
  });
});

async function live(): Promise<FakeSocket> {
  feed.start();
  await timers.pass(0);
  socket().onopen?.();
  socket().tell(snapshot(1));
  return socket();
}

describe("feed", () => {
  test("signs in with a ticket in the first message and is live at the snapshot", async () => {
    const first = await live();
    expect(first.sent[0]).toEqual({ type: "ticket", ticket: "t1" });
    expect(states).toEqual(["live"]);
  });

  test("passes deltas in order", async () => {
    const first = await live();
    first.tell(delta(2));
    first.tell(delta(3));
    expect(got.map((message) => message.type)).toEqual(["snapshot", "delta", "delta"]);
  });

  test("asks once for a snapshot after a gap and drops deltas until it comes", async () => {
    const first = await live();
    first.tell(delta(4));
    first.tell(delta(5));
    expect(first.types.filter((type) => type === "resync")).toHaveLength(1);
    expect(got).toHaveLength(1);
    first.tell(snapshot(6));
    first.tell(delta(7));
    expect(got).toHaveLength(3);
  });

  test.each([
    ["not JSON", "{"],
    ["a short figures row", JSON.stringify({ type: "delta", n: 2, now_ms: 1, figures: [[0, 1]] })],
    ["a wrong spurt row", JSON.stringify({ type: "delta", n: 2, now_ms: 1, spurts: [[0, "agent", 1, 2, true]] })],
    ["a call without id", JSON.stringify({ type: "delta", n: 2, now_ms: 1, calls: [{ index: 1 }] })],
  ])("asks for a snapshot after %s", async (_, text) => {
    const first = await live();
    first.onmessage?.({ data: text });
    expect(invalid).toHaveLength(1);
    expect(first.types).toContain("resync");
  });

  test("ignores kinds of messages it does not know", async () => {
    const first = await live();
    first.tell({ type: "weather" });
    expect(invalid).toEqual([]);
    expect(first.types).not.toContain("resync");
  });

  test("asks after one silent second, is stale after three, reconnects after eight", async () => {
    const first = await live();
    await timers.pass(1_500);
    expect(first.types).toContain("ping");
    expect(states).toEqual(["live"]);
    await timers.pass(1_500);
    expect(states).toEqual(["live", "stale"]);
    await timers.pass(6_000);
    expect(first.closed).toBe(true);
    expect(sockets.length).toBeGreaterThan(1);
  });

  test("is live again when data come back", async () => {
    const first = await live();
    await timers.pass(3_500);
    first.tell({ type: "pong", now_ms: 3 });
    expect(states).toEqual(["live", "stale", "live"]);
  });

  test("comes back by itself, waiting longer each time, at most five seconds", async () => {
    await live();
    const opened: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const from = timers.now();
      const count = sockets.length;
      socket().onclose?.({ code: 1006, reason: "" });
      while (sockets.length === count) await timers.pass(50);
      opened.push(timers.now() - from);
    }
    expect(opened).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
    expect(states).toEqual(["live", "stale"]);
  });

  test("a new connection starts its own numbers", async () => {
    const first = await live();
    first.onclose?.({ code: 1006, reason: "" });
    await timers.pass(250);
    socket().onopen?.();
    socket().tell(delta(2));
    expect(got).toHaveLength(1);
    socket().tell(snapshot(1));
    socket().tell(delta(2));
    expect(got).toHaveLength(3);
    expect(states).toEqual(["live", "stale", "live"]);
  });

  test("is out, and stays out, when nobody is signed in", async () => {
    ticket = () => Promise.reject(new SignedOut());
    feed.start();
    await timers.pass(60_000);
    expect(states).toEqual(["out"]);
    expect(sockets).toEqual([]);
  });

  test("is out after the server's good-bye for a sign-out, but comes back after a restart", async () => {
    const first = await live();
    first.tell({ type: "bye", reason: "restart" });
    await timers.pass(250);
    expect(sockets).toHaveLength(2);
    socket().onopen?.();
    socket().tell(snapshot(1));
    socket().tell({ type: "bye", reason: "signed_out" });
    expect(states[states.length - 1]).toBe("out");
  });

  test("keeps trying while tickets cannot be had", async () => {
    let asked = 0;
    ticket = () => {
      asked++;
      return Promise.reject(new Error("unreachable"));
    };
    feed.start();
    await timers.pass(20_000);
    expect(asked).toBeGreaterThan(4);
  });

  test("sends keys only on a connection that has a snapshot", async () => {
    feed.start();
    await timers.pass(0);
    expect(feed.key("s", "whisper")).toBe(false);
    socket().onopen?.();
    socket().tell(snapshot(1));
    expect(feed.key("s", "whisper")).toBe(true);
    expect(socket().sent.at(-1)).toEqual({ type: "key", session: "s", mode: "whisper" });
  });

  test("stop closes and never comes back", async () => {
    const first = await live();
    feed.stop();
    await timers.pass(60_000);
    expect(first.closed).toBe(true);
    expect(sockets).toHaveLength(1);
  });
});
