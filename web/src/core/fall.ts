/** A level as an eye can follow it: rises at once, falls slowly. */
import { SILENCE_DBFS } from "./format";

/** Slow enough to read between two syllables, fast enough to be down before the next sentence. */
export const FALL_DB_PER_S = 40;

export class FallingLevel {
  private shown = SILENCE_DBFS;
  private at = 0;

  /** Returns what to show at `now` (ms) while the level is `value` (dBFS). */
  next(value: number, now: number): number {
    const fallen = this.shown - (FALL_DB_PER_S * Math.max(0, now - this.at)) / 1000;
    this.at = now;
    this.shown = Math.max(SILENCE_DBFS, value, fallen);
    return this.shown;
  }
}
