/** Time as an argument: the real one in pages, a counted one in tests. */
export interface Timers {
  /** Monotonic ms. */
  now(): number;
  /** Runs once after `ms`; the result cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const realTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const handle = setTimeout(run, ms);
    return () => clearTimeout(handle);
  },
};

/** Waits between attempts: doubling from `first` to `most`, each shortened by chance so that pages do not return in step. */
export function backOff(attempt: number, first: number, most: number, random: () => number): number {
  return Math.min(most, first * 2 ** Math.min(attempt, 16)) * (0.5 + random() / 2);
}
