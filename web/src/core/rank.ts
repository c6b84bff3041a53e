/** Worst call first, in an order a person can point at. No framework, no clock of its own. */
import { type LiveCall, level } from "./board";

/** A call that got better keeps its place this long: an alert that flickers must not make rows jump up and down. */
const STAY_MS = 5_000;
/** Rows move at most this often; one second is also the pace of the feed. */
const SORT_EVERY_MS = 1_000;

interface Standing {
  level: number;
  /** When the condition began; the longest running is on top within its level. */
  since: number;
  /** While the real level is lower: since when. */
  lowerFrom: number | null;
}

export class Ranking {
  private readonly standings = new Map<string, Standing>();
  private shown: string[] = [];
  private sortedAt = Number.NEGATIVE_INFINITY;
  private held = false;

  /** While held (pointer over the table, key down) no row moves; calls that come are added at the end. */
  hold(held: boolean): void {
    this.held = held;
  }

  get isHeld(): boolean {
    return this.held;
  }

  /** Returns the ids in the order to show; the same array while nothing moved. */
  order(calls: ReadonlyMap<string, LiveCall>, now: number): readonly string[] {
    for (const [id, call] of calls) this.judge(id, call, now);
    for (const id of this.standings.keys()) if (!calls.has(id)) this.standings.delete(id);
    if (this.held || now - this.sortedAt < SORT_EVERY_MS) return this.keep(calls);
    this.sortedAt = now;
    return this.show([...calls.keys()].sort((a, b) => this.compare(a, b, calls)));
  }

  private judge(id: string, call: LiveCall, now: number): void {
    const real = level(call);
    const since = call.alerts[0]?.since_ms ?? call.view.started_at_ms;
    const known = this.standings.get(id);
    if (!known || real > known.level) {
      this.standings.set(id, { level: real, since, lowerFrom: null });
    } else if (real === known.level) {
      known.lowerFrom = null;
      known.since = since;
    } else {
      known.lowerFrom ??= now;
      if (now - known.lowerFrom >= STAY_MS) this.standings.set(id, { level: real, since, lowerFrom: null });
    }
  }

  private compare(a: string, b: string, calls: ReadonlyMap<string, LiveCall>): number {
    const one = this.standings.get(a);
    const other = this.standings.get(b);
    if (!one || !other) return 0;
    const started = (id: string) => calls.get(id)?.view.started_at_ms ?? 0;
    return other.level - one.level || one.since - other.since || started(a) - started(b) || (a < b ? -1 : 1);
  }

  private keep(calls: ReadonlyMap<string, LiveCall>): readonly string[] {
    const known = new Set(this.shown);
    const stay = this.shown.filter((id) => calls.has(id));
    for (const id of calls.keys()) if (!known.has(id)) stay.push(id);
    return this.show(stay);
  }

  private show(next: string[]): readonly string[] {
    const same = next.length === this.shown.length && next.every((id, place) => id === this.shown[place]);
    if (!same) this.shown = next;
    return this.shown;
  }
}
