/** The live calls as the feed tells them: a snapshot, then deltas applied in place. No framework, no clock. */
import type { Alert, Call, Delta, FiguresRow, Me, Node, Severity, Snapshot, SpurtRow } from "./wire";

/** Talk lanes show one minute; a little more is kept so that a spurt leaves the lane before it leaves the memory. */
const KEEP_SPURTS_MS = 70_000;

export interface LiveCall {
  view: Call;
  figures: FiguresRow | null;
  /** Server time (epoch ms) the figures belong to. */
  figuresAt: number;
  /** Sorted by start. */
  spurts: SpurtRow[];
  alerts: Alert[];
  /** Holds that are over, as far as this page has seen them: from and to in epoch ms. */
  holds: (readonly [from: number, to: number])[];
}

/** What one message changed, for whoever draws. */
export interface Change {
  /** Calls came or went. */
  structure: boolean;
  /** Ids of calls whose row must be drawn again. */
  touched: Set<string>;
  /** Sign-in, nodes or stale list changed. */
  house: boolean;
}

const RANK: Record<Severity, number> = { warn: 1, alert: 2, critical: 3 };

export class Board {
  readonly calls = new Map<string, LiveCall>();
  private readonly byIndex = new Map<number, LiveCall>();
  private readonly alertCall = new Map<string, string>();
  me: Me | null = null;
  nodes: readonly Node[] = [];
  stale: readonly string[] = [];
  nowMs = 0;

  /** Replaces everything. */
  applySnapshot(message: Snapshot): Change {
    const touched = new Set([...this.calls.keys(), ...message.calls.map((call) => call.id)]);
    this.calls.clear();
    this.byIndex.clear();
    this.alertCall.clear();
    this.me = message.me;
    this.nodes = message.nodes;
    this.stale = message.stale;
    this.nowMs = message.now_ms;
    for (const call of message.calls) this.putCall(call);
    this.putRows(message, null);
    return { structure: true, touched, house: true };
  }

  applyDelta(message: Delta): Change {
    const change: Change = { structure: false, touched: new Set(), house: false };
    this.nowMs = message.now_ms;
    for (const id of message.gone ?? []) this.dropCall(id, change);
    for (const call of message.calls ?? []) {
      if (this.putCall(call)) change.structure = true;
      change.touched.add(call.id);
    }
    this.putRows(message, change.touched);
    if (message.nodes) this.nodes = message.nodes;
    if (message.stale) this.stale = message.stale;
    change.house = message.nodes !== undefined || message.stale !== undefined;
    return change;
  }

  /** True if the call is new. */
  private putCall(view: Call): boolean {
    const known = this.calls.get(view.id);
    if (known) {
      this.byIndex.delete(known.view.index);
      if (known.view.state === "hold" && view.state !== "hold")
        known.holds.push([known.view.state_since_ms, view.state_since_ms]);
      known.view = view;
      this.byIndex.set(view.index, known);
      return false;
    }
    const call: LiveCall = { view, figures: null, figuresAt: 0, spurts: [], alerts: [], holds: [] };
    this.calls.set(view.id, call);
    this.byIndex.set(view.index, call);
    return true;
  }

  private dropCall(id: string, change: Change): void {
    const call = this.calls.get(id);
    if (!call) return;
    this.calls.delete(id);
    // The index may already belong to a newer call.
    if (this.byIndex.get(call.view.index) === call) this.byIndex.delete(call.view.index);
    for (const alert of call.alerts) this.alertCall.delete(alert.id);
    change.structure = true;
    change.touched.add(id);
  }

  private putRows(message: Snapshot | Delta, touched: Set<string> | null): void {
    for (const row of message.figures ?? []) {
      const call = this.byIndex.get(row[0]);
      if (!call) continue;
      call.figures = row;
      call.figuresAt = message.now_ms;
      touched?.add(call.view.id);
    }
    for (const row of message.spurts ?? []) {
      const call = this.byIndex.get(row[0]);
      if (!call) continue;
      putSpurt(call.spurts, row);
      touched?.add(call.view.id);
    }
    for (const alert of message.alerts ?? []) this.putAlert(alert, touched);
    this.forgetOldSpurts(touched);
  }

  private putAlert(alert: Alert, touched: Set<string> | null): void {
    const call = this.calls.get(alert.call);
    if (!call) return;
    call.alerts = call.alerts.filter((other) => other.id !== alert.id);
    this.alertCall.delete(alert.id);
    if (alert.state === "raised") {
      call.alerts.push(alert);
      call.alerts.sort(worstFirst);
      this.alertCall.set(alert.id, alert.call);
    }
    touched?.add(alert.call);
  }

  private forgetOldSpurts(touched: Set<string> | null): void {
    for (const call of this.calls.values()) {
      if (touched && !touched.has(call.view.id)) continue;
      const horizon = this.nowMs - call.view.started_at_ms - KEEP_SPURTS_MS;
      let old = 0;
      while (old < call.spurts.length && (call.spurts[old]?.[3] ?? 0) < horizon) old++;
      if (old) call.spurts.splice(0, old);
      const [hold] = call.holds;
      if (hold && hold[1] < this.nowMs - KEEP_SPURTS_MS) call.holds.shift();
    }
  }
}

/** Replaces the spurt with the same party and start, or inserts it in order of start. */
function putSpurt(spurts: SpurtRow[], row: SpurtRow): void {
  let place = spurts.length;
  while (place > 0) {
    const before = spurts[place - 1];
    if (!before || before[2] < row[2]) break;
    if (before[2] === row[2] && before[1] === row[1]) {
      spurts[place - 1] = row;
      return;
    }
    if (before[2] === row[2] && before[1] < row[1]) break;
    place--;
  }
  spurts.splice(place, 0, row);
}

/** Most severe first, then the one that began first, then by id so that the order is total. */
export function worstFirst(a: Alert, b: Alert): number {
  return RANK[b.severity] - RANK[a.severity] || a.since_ms - b.since_ms || (a.id < b.id ? -1 : 1);
}

/** 0 nothing, 1 warn, 2 alert, 3 critical. */
export function level(call: LiveCall): number {
  if (call.view.proof_failures > 0) return RANK.critical;
  const worst = call.alerts[0];
  return worst ? RANK[worst.severity] : 0;
}
