/** The server's clock as seen from here: the message that came with the least delay sets it. */

/** How many messages are looked back on; at one a second a browser's drift over this time is far under 1 ms. */
const WINDOW = 60;

export class ServerClock {
  private readonly offsets: number[] = [];
  private best = 0;

  /** `local` is a monotonic time in ms, `server` the epoch ms the message carries. */
  observe(server: number, local: number): void {
    this.offsets.push(server - local);
    if (this.offsets.length > WINDOW) this.offsets.shift();
    // A delayed message makes the server look earlier, so the largest difference is the nearest to the truth.
    this.best = Math.max(...this.offsets);
  }

  get known(): boolean {
    return this.offsets.length > 0;
  }

  /** Forgets what it knew; for a new connection, whose server may have another clock. */
  reset(): void {
    this.offsets.length = 0;
  }

  /** Server epoch ms at the local monotonic time. */
  at(local: number): number {
    return this.best + local;
  }
}
