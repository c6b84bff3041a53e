/** What the two talk lanes of the last minute show, as numbers; drawing is elsewhere. */
import type { LiveCall } from "./board";

export const LANES_MS = 60_000;
/** A pause shorter than this is how people talk; it is left empty without a sign. */
const SHOW_SILENCE_MS = 3_000;
/** Overlap up to here is a backchannel ("mhm"), not talk-over. */
const SHOW_OVERLAP_MS = 500;

/** An open spurt is told again every second; one that was not for this long is not known to go on. */
const OPEN_ON_MS = 3_000;

/** From and to as shares of the width, 0 (a minute ago) to 1 (now). */
export type Stretch = readonly [from: number, to: number];

export interface LaneDrawing {
  agent: Stretch[];
  customer: Stretch[];
  others: Stretch[];
  silences: Stretch[];
  overlaps: Stretch[];
  holds: Stretch[];
  /** Where the call begins, if inside the minute. */
  start: number;
}

interface Interval {
  party: number;
  from: number;
  to: number;
}

/** `now` in epoch ms of the server's clock. */
export function lanes(call: LiveCall, now: number): LaneDrawing {
  const begin = now - LANES_MS;
  const share = (at: number) => Math.min(1, Math.max(0, (at - begin) / LANES_MS));
  const offset = call.view.started_at_ms;
  const talk: Interval[] = call.spurts
    .map(([, party, start, end, open]) => ({
      party,
      from: offset + start,
      to: offset + (open ? Math.max(end, Math.min(now - offset, end + OPEN_ON_MS)) : end),
    }))
    .filter(({ from, to }) => to > begin && from < now);
  const of = (wanted: (party: number) => boolean) =>
    talk.filter(({ party }) => wanted(party)).map(({ from, to }): Stretch => [share(from), share(to)]);
  const answered = call.view.answered_at_ms ?? now;
  const holds = [...call.holds];
  if (call.view.state === "hold") holds.push([call.view.state_since_ms, now]);
  const held = holds.filter(([, to]) => to > begin).map(([from, to]) => ({ party: -1, from, to }));
  return {
    agent: of((party) => party === 0),
    customer: of((party) => party === 1),
    others: of((party) => party > 1),
    // Hold is not silence.
    silences: silences([...talk, ...held], Math.max(begin, answered), now).map(([from, to]) => [
      share(from),
      share(to),
    ]),
    overlaps: overlaps(talk).map(([from, to]) => [share(from), share(to)]),
    holds: held.map(({ from, to }) => [share(from), share(to)]),
    start: share(offset),
  };
}

function silences(talk: readonly Interval[], from: number, until: number): Stretch[] {
  const found: Stretch[] = [];
  let quietFrom = from;
  for (const spurt of [...talk].sort((a, b) => a.from - b.from)) {
    if (spurt.from - quietFrom >= SHOW_SILENCE_MS) found.push([quietFrom, Math.min(spurt.from, until)]);
    quietFrom = Math.max(quietFrom, spurt.to);
  }
  if (until - quietFrom >= SHOW_SILENCE_MS) found.push([quietFrom, until]);
  return found;
}

function overlaps(talk: readonly Interval[]): Stretch[] {
  const customer = talk.filter(({ party }) => party === 1);
  return talk
    .filter(({ party }) => party === 0)
    .flatMap((agent) =>
      customer.map((other): Stretch => [Math.max(agent.from, other.from), Math.min(agent.to, other.to)]),
    )
    .filter(([from, to]) => to - from > SHOW_OVERLAP_MS);
}

/** Percent of the minute covered. */
export function covered(stretches: readonly Stretch[]): number {
  return Math.round(100 * stretches.reduce((sum, [from, to]) => sum + to - from, 0));
}
