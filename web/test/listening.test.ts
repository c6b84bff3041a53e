/** Listening: opens, hops, falls back, comes back, stops, and never leaves a session open that nobody hears. */
import { beforeEach, describe, expect, test } from "vitest";
import { ApiError } from "../src/core/api";
import { Listening, type ListeningView, type ListenTransport } from "../src/core/listening";
import type { SessionState } from "../src/core/wire";
import { CountedTimers } from "./support";

class NoWay extends Error {
  constructor(readonly session: string) {
    super();
  }
}

class FakeTransport implements ListenTransport {
  onLost: (() => void) | null = null;
  microphone: MediaStreamTrack | null = null;
  open = true;
  constructor(
    readonly kind: "webrtc" | "websocket",
    readonly session: string,
  ) {}
  setMicrophone(track: MediaStreamTrack | null): void {
    this.microphone = track;
  }
  close(): void {
    this.open = false;
  }
}

let timers: CountedTimers;
let transports: FakeTransport[];
let closed: string[];
let hops: string[];
let view: ListeningView;
let webRtc: (call: string) => Promise<FakeTransport>;
let hop: () => Promise<unknown>;
let listening: Listening;

function opened(kind: "webrtc" | "websocket"): FakeTransport {
  const transport = new FakeTransport(kind, `s${transports.length + 1}`);
  transports.push(transport);
  return transport;
}

beforeEach(() => {
  timers = new CountedTimers();
  transports = [];
  closed = [];
  hops = [];
  webRtc = () => Promise.resolve(opened("webrtc"));
  hop = () => Promise.resolve();
  listening = new Listening({
    timers,
    random: () => 1,
    openWebRtc: (call) => webRtc(call),
    openWebSocket: () => Promise.resolve(opened("websocket")),
    noRoute: (error) => (error instanceof NoWay ? error : null),
    hop: (_session, call) => {
      hops.push(call);
      return hop();
    },
    closeSession: (session) => {
      closed.push(session);
      return Promise.resolve();
    },
    onChange: (next) => {
      view = next;
    },
  });
});

const told = (session: string, state: SessionState["state"], refused = ""): SessionState => ({
  type: "session",
  session,
  call: "a",
  mode: "listen",
  state,
  refused,
  whisper_dbfs: -96,
  whispered_ms: 0,
  heard_ms: 0,
  transport: "webrtc",
});
const openSessions = () =>
  transports.map((transport) => transport.session).filter((session) => !closed.includes(session));

describe("listening", () => {
  test("opens by WebRTC", async () => {
    await listening.listen("a");
    expect(view).toEqual({ state: "listening", call: "a", session: "s1", transport: "webrtc", reason: "" });
  });

  test("hops on the open connection", async () => {
    await listening.listen("a");
    await listening.listen("b");
    expect(hops).toEqual(["b"]);
    expect(transports).toHaveLength(1);
    expect(view.call).toBe("b");
    expect(view.state).toBe("listening");
  });

  test("a refused hop leaves the old call in the ear and says why", async () => {
    await listening.listen("a");
    hop = () => Promise.reject(new ApiError("not_in_scope", "", 403));
    await listening.listen("b");
    expect(view).toMatchObject({ state: "listening", call: "a", reason: "not_in_scope" });
    expect(openSessions()).toEqual(["s1"]);
  });

  test("opens a new session where the old one cannot hop", async () => {
    await listening.listen("a");
    hop = () => Promise.reject(new ApiError("other_node", "", 409));
    await listening.listen("b");
    expect(view).toMatchObject({ state: "listening", call: "b", session: "s2" });
    expect(openSessions()).toEqual(["s2"]);
  });

  test("falls back when WebRTC has no route, and closes the session it had opened", async () => {
    webRtc = () => Promise.reject(new NoWay("s0"));
    await listening.listen("a");
    expect(view).toMatchObject({ state: "listening", transport: "websocket" });
    expect(closed).toEqual(["s0"]);
  });

  test("a refusal is final", async () => {
    webRtc = () => Promise.reject(new ApiError("no_right", "", 403));
    await listening.listen("a");
    await timers.pass(60_000);
    expect(view).toMatchObject({ state: "failed", reason: "no_right" });
    expect(transports).toHaveLength(0);
  });

  test("does not listen when the audit record cannot be written, though that is a 503", async () => {
    webRtc = () => Promise.reject(new ApiError("audit_unavailable", "", 503));
    await listening.listen("a");
    expect(view).toMatchObject({ state: "failed", reason: "audit_unavailable" });
  });

  test("comes back by itself when the connection is lost", async () => {
    await listening.listen("a");
    transports[0]?.onLost?.();
    expect(view.state).toBe("reconnecting");
    await timers.pass(300);
    expect(view).toMatchObject({ state: "listening", session: "s2" });
    expect(openSessions()).toEqual(["s2"]);
  });

  test("comes back when the node restarts and closes the session", async () => {
    await listening.listen("a");
    listening.session(told("s1", "closed"));
    await timers.pass(300);
    expect(view).toMatchObject({ state: "listening", session: "s2" });
  });

  test("keeps trying while the server does not answer, and stops when told", async () => {
    let tries = 0;
    webRtc = () => {
      tries++;
      return Promise.reject(new ApiError("unreachable", "", 0));
    };
    await listening.listen("a");
    await timers.pass(20_000);
    expect(tries).toBeGreaterThan(5);
    expect(view.state).toBe("reconnecting");
    listening.stop();
    const before = tries;
    await timers.pass(20_000);
    expect(tries).toBe(before);
    expect(view.state).toBe("idle");
  });

  test.each(["bridge_away", "no_such_call"])("a node that comes back may say %s for a while", async (reason) => {
    await listening.listen("a");
    webRtc = () => Promise.reject(new ApiError(reason, "", reason === "no_such_call" ? 404 : 409));
    transports[0]?.onLost?.();
    for (let attempt = 0; attempt < 3; attempt++) {
      await timers.pass(4_000);
      expect(view.state).toBe("reconnecting");
    }
    webRtc = () => Promise.resolve(opened("webrtc"));
    await timers.pass(4_000);
    expect(view).toMatchObject({ state: "listening", call: "a" });
  });

  test("closed for a lost right stays closed", async () => {
    await listening.listen("a");
    listening.session(told("s1", "closed", "no_right"));
    await timers.pass(20_000);
    expect(view).toMatchObject({ state: "failed", reason: "no_right" });
    expect(transports[0]?.open).toBe(false);
  });

  test("a node that is back already is asked again at once", async () => {
    await listening.listen("a");
    listening.session(told("s1", "closed", "node_lost"));
    expect(view.state).toBe("reconnecting");
    await timers.pass(1);
    expect(view).toMatchObject({ state: "listening", call: "a", session: "s2" });
  });

  test("ends with the call", async () => {
    await listening.listen("a");
    listening.callGone("b");
    expect(view.state).toBe("listening");
    listening.callGone("a");
    expect(view).toMatchObject({ state: "ended", call: "a" });
    expect(openSessions()).toEqual([]);
  });

  test("stop during connecting closes what then opens", async () => {
    let arrive: (transport: FakeTransport) => void = () => undefined;
    webRtc = () => new Promise((done) => (arrive = done));
    const asked = listening.listen("a");
    listening.stop();
    const late = opened("webrtc");
    arrive(late);
    await asked;
    expect(late.open).toBe(false);
    expect(openSessions()).toEqual([]);
    expect(view.state).toBe("idle");
  });

  test("takes the microphone off before closing", async () => {
    await listening.listen("a");
    listening.setMicrophone({} as MediaStreamTrack);
    listening.stop();
    expect(transports[0]?.microphone).toBeNull();
  });

  test("does not believe states of other sessions", async () => {
    await listening.listen("a");
    expect(listening.session(told("s9", "closed"))).toBe(false);
    expect(view.state).toBe("listening");
  });
});
