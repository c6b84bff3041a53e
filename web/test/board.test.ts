/** Replaying deltas gives the same board as a fresh snapshot. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Board, level } from "../src/core/board";
import type { Alert, Call, Delta, FiguresRow, Me, Snapshot, SpurtRow } from "../src/core/wire";
import { aCall, anAlert, figuresRow, spurtRow } from "./support";

const ME: Me = { user: "sam", name: "Sam", role: "supervisor", rights: ["listen"] };
const MINUTE = 60_000;

/** The server's side of the protocol, as short as it can be: it keeps whole states and tells what changed. */
class Server {
  n = 1;
  now = 2_000_000;
  calls = new Map<number, Call>();
  figures = new Map<number, FiguresRow>();
  spurts: SpurtRow[] = [];
  alerts = new Map<string, Alert>();
  private delta: Delta = { type: "delta", n: 0, now_ms: 0 };

  start(index: number, generation: number): void {
    this.end(index);
    const call = aCall(index, { id: `call-${index}-${generation}`, started_at_ms: this.now });
    this.calls.set(index, call);
    this.tell("calls", call);
  }

  end(index: number): void {
    const call = this.calls.get(index);
    if (!call) return;
    this.calls.delete(index);
    this.figures.delete(index);
    this.spurts = this.spurts.filter((row) => row[0] !== index);
    for (const alert of [...this.alerts.values()]) if (alert.call === call.id) this.alerts.delete(alert.id);
    // What this delta already said about the call would now be about nobody.
    this.delta.calls = this.delta.calls?.filter((other) => other.id !== call.id);
    this.delta.figures = this.delta.figures?.filter((row) => row[0] !== index);
    this.delta.spurts = this.delta.spurts?.filter((row) => row[0] !== index);
    this.tell("gone", call.id);
  }

  change(index: number, listeners: number): void {
    const call = this.calls.get(index);
    if (!call) return;
    const next = { ...call, listeners };
    this.calls.set(index, next);
    this.tell("calls", next);
  }

  figure(index: number, silence: number): void {
    if (!this.calls.has(index)) return;
    this.figures.set(index, figuresRow(index, silence));
    this.tell("figures", figuresRow(index, silence));
  }

  speak(index: number, party: number, length: number): void {
    const call = this.calls.get(index);
    if (!call) return;
    const at = this.now - call.started_at_ms;
    const last = this.spurts.findLast((row) => row[0] === index && row[1] === party);
    const row = last?.[4]
      ? spurtRow(index, party, last[2], Math.max(last[3], at), length % 2 === 0)
      : spurtRow(index, party, at, at + length, true);
    this.spurts = this.spurts.filter((other) => other[0] !== index || other[1] !== party || other[2] !== row[2]);
    this.spurts.push(row);
    this.tell("spurts", row);
  }

  alert(index: number, severity: Alert["severity"], raised: boolean): void {
    const call = this.calls.get(index);
    if (!call) return;
    const alert: Alert = {
      ...anAlert(call.id, severity, this.now, `alert-${call.id}`),
      state: raised ? "raised" : "cleared",
    };
    if (raised) this.alerts.set(alert.id, alert);
    else if (!this.alerts.delete(alert.id)) return;
    this.tell("alerts", alert);
  }

  private tell<K extends "calls" | "gone" | "figures" | "spurts" | "alerts">(
    kind: K,
    value: NonNullable<Delta[K]>[number],
  ): void {
    const list = (this.delta[kind] ?? []) as unknown[];
    list.push(value);
    Object.assign(this.delta, { [kind]: list });
  }

  flush(): Delta {
    const delta: Delta = { ...this.delta, n: ++this.n, now_ms: this.now };
    this.delta = { type: "delta", n: 0, now_ms: 0 };
    return delta;
  }

  snapshot(): Snapshot {
    return {
      type: "snapshot",
      n: this.n,
      now_ms: this.now,
      me: ME,
      calls: [...this.calls.values()],
      figures: [...this.figures.values()],
      spurts: this.spurts,
      alerts: [...this.alerts.values()],
      nodes: [],
      stale: [],
    };
  }
}

/** Everything a page can see: spurts of the last minute, figures without the time they came. */
function visible(board: Board): unknown {
  return [...board.calls.values()]
    .map((call) => ({
      view: call.view,
      figures: call.figures,
      spurts: call.spurts.filter((row) => call.view.started_at_ms + row[3] > board.nowMs - MINUTE),
      alerts: call.alerts,
    }))
    .sort((a, b) => (a.view.id < b.view.id ? -1 : 1));
}

const index = fc.integer({ min: 0, max: 4 });
type Act = (server: Server) => void;
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(index, fc.nat()).map(
    ([i, generation]): Act =>
      (server) =>
        server.start(i, generation),
  ),
  index.map(
    (i): Act =>
      (server) =>
        server.end(i),
  ),
  fc.tuple(index, fc.nat(3)).map(
    ([i, n]): Act =>
      (server) =>
        server.change(i, n),
  ),
  fc.tuple(index, fc.nat(9000)).map(
    ([i, ms]): Act =>
      (server) =>
        server.figure(i, ms),
  ),
  fc.tuple(index, fc.nat(1), fc.nat(4000)).map(
    ([i, party, ms]): Act =>
      (server) =>
        server.speak(i, party, ms),
  ),
  fc.tuple(index, fc.constantFrom("warn" as const, "alert" as const, "critical" as const), fc.boolean()).map(
    ([i, severity, raised]): Act =>
      (server) =>
        server.alert(i, severity, raised),
  ),
  fc.integer({ min: 1, max: 20_000 }).map(
    (ms): Act =>
      (server) => {
        server.now += ms;
      },
  ),
);

describe("replay of deltas", () => {
  test("equals a fresh snapshot", () => {
    fc.assert(
      fc.property(fc.array(fc.array(act, { maxLength: 8 }), { maxLength: 25 }), (seconds) => {
        const server = new Server();
        const replayed = new Board();
        replayed.applySnapshot(server.snapshot());
        for (const acts of seconds) {
          for (const one of acts) one(server);
          server.now += 1_000;
          replayed.applyDelta(server.flush());
        }
        const fresh = new Board();
        fresh.applySnapshot(server.snapshot());
        expect(visible(replayed)).toEqual(visible(fresh));
      }),
      { numRuns: 300 },
    );
  });
});

describe("board", () => {
  const start = () => {
    const board = new Board();
    board.applySnapshot({
      type: "snapshot",
      n: 1,
      now_ms: 1_100_000,
      me: ME,
      calls: [aCall(0), aCall(1)],
      figures: [figuresRow(0)],
      spurts: [],
      alerts: [],
      nodes: [],
      stale: [],
    });
    return board;
  };

  test("says which rows a delta touched", () => {
    const change = start().applyDelta({
      type: "delta",
      n: 2,
      now_ms: 1_101_000,
      figures: [figuresRow(1, 500)],
      gone: ["call-0"],
    });
    expect([...change.touched].sort()).toEqual(["call-0", "call-1"]);
    expect(change.structure).toBe(true);
  });

  test("does not call a changed call new", () => {
    const change = start().applyDelta({ type: "delta", n: 2, now_ms: 1_101_000, calls: [aCall(0, { listeners: 2 })] });
    expect(change.structure).toBe(false);
  });

  test("ignores figures of an index nobody has", () => {
    const board = start();
    board.applyDelta({
      type: "delta",
      n: 2,
      now_ms: 1_101_000,
      figures: [figuresRow(9)],
      spurts: [spurtRow(9, 0, 1, 2)],
    });
    expect(board.calls.size).toBe(2);
  });

  test("replaces the spurt that grows instead of adding one", () => {
    const board = start();
    board.applyDelta({ type: "delta", n: 2, now_ms: 1_101_000, spurts: [spurtRow(0, 0, 100_000, 100_500, true)] });
    board.applyDelta({ type: "delta", n: 3, now_ms: 1_102_000, spurts: [spurtRow(0, 0, 100_000, 101_500, false)] });
    expect(board.calls.get("call-0")?.spurts).toEqual([spurtRow(0, 0, 100_000, 101_500, false)]);
  });

  test("takes the level from the worst alert, and from a failed proof above all", () => {
    const board = start();
    const alerts = [anAlert("call-0", "warn", 1), anAlert("call-0", "alert", 2), anAlert("nobody", "critical", 3)];
    board.applyDelta({ type: "delta", n: 2, now_ms: 1_101_000, alerts, calls: [aCall(1, { proof_failures: 1 })] });
    const levels = [...board.calls.values()].map(level);
    expect(levels).toEqual([2, 3]);
  });

  test("remembers a hold that is over for as long as the lanes show it", () => {
    const board = start();
    const hold = { state: "hold", state_since_ms: 1_100_000 };
    const back = { state: "talking", state_since_ms: 1_120_000 };
    board.applyDelta({ type: "delta", n: 2, now_ms: 1_101_000, calls: [aCall(0, hold)] });
    board.applyDelta({ type: "delta", n: 3, now_ms: 1_121_000, calls: [aCall(0, back)] });
    expect(board.calls.get("call-0")?.holds).toEqual([[1_100_000, 1_120_000]]);
    board.applyDelta({ type: "delta", n: 4, now_ms: 1_195_000, calls: [aCall(0, back)] });
    expect(board.calls.get("call-0")?.holds).toEqual([]);
  });
});
