/** Builders and a counted clock for the tests. */
import type { Timers } from "../src/core/timers";
import type { Alert, Call, FiguresRow, SpurtRow } from "../src/core/wire";

export function aCall(index: number, more: Partial<Call> = {}): Call {
  return {
    index,
    id: `call-${index}`,
    segment: `s-${index}`,
    node: "node-0",
    bridge: "b1",
    trunk: "phones",
    placement: "station",
    direction: "inbound",
    state: "talking",
    hold_by: "",
    agent_id: `a-${index}`,
    agent_name: `Agent ${index}`,
    agent_number: String(100 + index),
    team: "t",
    team_name: "Team",
    queue: "q",
    queue_name: "Queue",
    customer: "+44 20 7946 0000",
    started_at_ms: 1_000_000 + index,
    answered_at_ms: 1_005_000,
    state_since_ms: 1_005_000,
    capabilities: ["listen", "whisper", "barge"],
    refused: {},
    listeners: 0,
    modes: [],
    proof_failures: 0,
    agent_leg: 1,
    customer_leg: 2,
    ...more,
  };
}

export function figuresRow(index: number, silence = 0): FiguresRow {
  return [index, silence, silence ? "unexplained" : "", 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, -20, -21.5, 0, 0];
}

export function spurtRow(index: number, party: number, start: number, end: number, open = false): SpurtRow {
  return [index, party, start, end, open];
}

export function anAlert(call: string, severity: Alert["severity"], since: number, id = `${call}-${since}`): Alert {
  return { id, call, rule: "dead_air", severity, state: "raised", raised_at_ms: since, since_ms: since, value_ms: 0 };
}

/** Time that moves only when told to. */
export class CountedTimers implements Timers {
  private at = 0;
  private waiting: { due: number; run: () => void }[] = [];

  now(): number {
    return this.at;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { due: this.at + ms, run };
    this.waiting.push(entry);
    return () => {
      this.waiting = this.waiting.filter((other) => other !== entry);
    };
  }

  /** Runs everything due within `ms`, with promises settled in between. */
  async pass(ms: number): Promise<void> {
    const end = this.at + ms;
    for (;;) {
      await settled();
      const [next] = this.waiting.filter((entry) => entry.due <= end).sort((a, b) => a.due - b.due);
      if (!next) break;
      this.waiting = this.waiting.filter((entry) => entry !== next);
      this.at = next.due;
      next.run();
    }
    this.at = end;
    await settled();
  }
}

/** Lets promises that are ready run their continuations. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
