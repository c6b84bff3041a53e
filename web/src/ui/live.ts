/** The feed as Solid signals: one version per call, published once per animation frame. */
import { type Accessor, batch, createSignal, onCleanup, type Setter } from "solid-js";
import { api } from "../core/api";
import { Board, type Change, type LiveCall } from "../core/board";
import { ServerClock } from "../core/clock";
import { FeedClient, type FeedState, type SocketLike } from "../core/feed";
import { Ranking } from "../core/rank";
import { realTimers } from "../core/timers";
import type { Me, SessionState } from "../core/wire";

/** Running seconds are written four times a second, so that no second is skipped or shown twice as long. */
const TICK_MS = 250;
/** Without data running times stop here: counting on would claim to know. */
const COUNT_ON_MS = 3_000;

export interface Live {
  feed: FeedClient;
  ranking: Ranking;
  me: Accessor<Me | null>;
  state: Accessor<FeedState>;
  /** False until the first snapshot. */
  loaded: Accessor<boolean>;
  order: Accessor<readonly string[]>;
  /** Changes with every published batch. */
  pulse: Accessor<number>;
  /** The call and a dependency on its next change. */
  call(id: string): LiveCall | undefined;
  calls(): ReadonlyMap<string, LiveCall>;
  /** Server time in epoch ms, stopping when the data stop. */
  now: Accessor<number>;
  /** The same in whole seconds: changes once a second. */
  second: Accessor<number>;
  /** True while the call's node does not answer: what is shown of the call is what it was. */
  stale(call: LiveCall): boolean;
  /** Server time as far as the call is known: stops when its node does not answer. */
  nowOf(call: LiveCall): number;
  secondOf(call: LiveCall): number;
  /** Ms since the last message of the server. */
  silentFor: Accessor<number>;
  staleNodes: Accessor<readonly string[]>;
  bridges: Accessor<number | null>;
  onSession(listener: (state: SessionState) => void): void;
  /** Sort again now if the order may move. */
  resort(): void;
}

function openFeed(): SocketLike {
  const url = new URL("/api/feed", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url, "livemon-feed.1") as unknown as SocketLike;
}

class Versions {
  private readonly cells = new Map<string, [Accessor<number>, Setter<number>]>();

  /** Makes the reader depend on `id`. */
  read(id: string): void {
    const cell = this.cells.get(id) ?? createSignal(0);
    this.cells.set(id, cell);
    cell[0]();
  }

  bump(id: string): void {
    this.cells.get(id)?.[1]((version) => version + 1);
  }

  keepOnly(known: ReadonlyMap<string, unknown>): void {
    for (const id of this.cells.keys()) if (!known.has(id)) this.cells.delete(id);
  }
}

export function createLive(): Live {
  const board = new Board();
  const clock = new ServerClock();
  const ranking = new Ranking();
  const versions = new Versions();
  const listeners: ((state: SessionState) => void)[] = [];
  const [me, setMe] = createSignal<Me | null>(null);
  const [state, setState] = createSignal<FeedState>("connecting");
  const [loaded, setLoaded] = createSignal(false);
  const [order, setOrder] = createSignal<readonly string[]>([]);
  const [pulse, setPulse] = createSignal(0);
  const [now, setNow] = createSignal(Date.now());
  const [second, setSecond] = createSignal(0);
  const [silentFor, setSilentFor] = createSignal(0);
  const [staleNodes, setStaleNodes] = createSignal<readonly string[]>([]);
  const [bridges, setBridges] = createSignal<number | null>(null);
  let heardAt = performance.now();

  let touched = new Set<string>();
  let house = false;
  let frame = 0;
  const flush = () => {
    frame = 0;
    const ids = touched;
    touched = new Set();
    batch(() => {
      for (const id of ids) versions.bump(id);
      if (house) {
        setMe(board.me);
        setStaleNodes(board.stale);
        setBridges(board.nodes.length ? new Set(board.nodes.flatMap((node) => node.bridges)).size : null);
        versions.keepOnly(board.calls);
      }
      house = false;
      setLoaded(true);
      tick();
      resort();
      setPulse((count) => count + 1);
    });
  };
  const publish = (change: Change, serverNow: number) => {
    heardAt = performance.now();
    clock.observe(serverNow, heardAt);
    for (const id of change.touched) touched.add(id);
    house ||= change.house || change.structure;
    // A hidden page gets no frames: the state is kept, nothing is drawn.
    if (!frame) frame = requestAnimationFrame(flush);
  };
  const resort = () => setOrder(ranking.order(board.calls, performance.now()));
  const tick = () => {
    const silent = performance.now() - heardAt;
    const at = clock.known ? clock.at(Math.min(performance.now(), heardAt + COUNT_ON_MS)) : Date.now();
    setNow(at);
    setSecond(Math.floor(at / 1000));
    setSilentFor(silent);
  };

  const feed = new FeedClient({
    timers: realTimers,
    random: Math.random,
    ticket: () => api.ticket(),
    open: openFeed,
    onSnapshot: (message) => {
      clock.reset();
      publish(board.applySnapshot(message), message.now_ms);
    },
    onDelta: (message) => publish(board.applyDelta(message), message.now_ms),
    onSession: (message) => {
      for (const listener of listeners) listener(message);
    },
    onState: (next) => {
      setState(next);
      if (next === "out") location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    },
    // biome-ignore lint/suspicious/noConsole: a broken frame is a fault of the server and must leave a trace somewhere
    onInvalid: (reason) => console.warn(`feed: ${reason}`),
  });
  feed.start();
  const ticking = setInterval(() => {
    if (document.hidden) return;
    batch(tick);
  }, TICK_MS);
  onCleanup(() => {
    clearInterval(ticking);
    feed.stop();
  });

  const isStale = (call: LiveCall) => staleNodes().length > 0 && staleNodes().includes(call.view.node);
  const until = (call: LiveCall) => call.figuresAt + COUNT_ON_MS;
  return {
    feed,
    ranking,
    me,
    state,
    loaded,
    order,
    pulse,
    call(id) {
      versions.read(id);
      return board.calls.get(id);
    },
    calls: () => board.calls,
    now,
    second,
    stale: isStale,
    nowOf: (call) => (isStale(call) ? Math.min(now(), until(call)) : now()),
    secondOf: (call) => (isStale(call) ? Math.min(second(), Math.floor(until(call) / 1000)) : second()),
    silentFor,
    staleNodes,
    bridges,
    onSession: (listener) => listeners.push(listener),
    resort,
  };
}
