/** Rate changes between the telephone's 8 kHz and the sound card's rate; used inside the audio worklets. */

export const PHONE_RATE = 8_000;

/** Ring buffer of 8 kHz samples, read at any other rate by cubic interpolation, with a small adaptive reserve. */
export class PhoneReader {
  private readonly ring = new Float32Array(PHONE_RATE);
  private written = 0;
  private position = 0;
  private playing = false;
  private lowest = Number.POSITIVE_INFINITY;
  private sinceLook = 0;
  /** Samples waited for before playing: two packets of 20 ms to begin with. */
  private reserve = 320;
  underruns = 0;
  private expected: number | null = null;

  /** Puts a packet at its place in time: a hole becomes silence, a late packet is left out, a jump begins anew. */
  writeAt(timestamp: number, codes: Uint8Array, table: Float32Array): void {
    // The difference of two 32-bit timestamps, also across the wrap.
    const hole = this.expected === null ? 0 : (timestamp - this.expected) | 0;
    if (hole < 0 && hole > -PHONE_RATE) return;
    this.expected = (timestamp + codes.length) >>> 0;
    if (hole > 0 && hole <= PHONE_RATE) this.pause(hole);
    this.write(codes, table);
  }

  private pause(samples: number): void {
    for (let count = 0; count < samples; count++) this.ring[this.written++ % PHONE_RATE] = 0;
  }

  write(codes: Uint8Array, table: Float32Array): void {
    for (const code of codes) this.ring[this.written++ % PHONE_RATE] = table[code] ?? 0;
    if (!this.playing && this.waiting >= this.reserve) {
      this.playing = true;
      this.position = this.written - this.reserve;
    }
    // More than 200 ms behind: a stall of the network has ended; go back to the live edge.
    if (this.waiting > 1_600) this.position = this.written - this.reserve;
  }

  private get waiting(): number {
    return this.written - this.position;
  }

  /** Fills `out` with sound at `rate` samples a second, or with silence while there is none. */
  read(out: Float32Array, rate: number): void {
    const step = PHONE_RATE / rate;
    if (this.playing && this.waiting < out.length * step + 3) this.starve();
    if (!this.playing) {
      out.fill(0);
      return;
    }
    for (let place = 0; place < out.length; place++) {
      out[place] = this.at(this.position);
      this.position += step;
    }
    this.trim(out.length / rate);
  }

  /** Ran dry: wait for a little more next time, up to 150 ms. */
  private starve(): void {
    this.playing = false;
    this.underruns++;
    this.reserve = Math.min(this.reserve + 80, 1_200);
    this.lowest = Number.POSITIVE_INFINITY;
  }

  /** When the reserve was never needed for two seconds, gives 10 ms of delay back. */
  private trim(seconds: number): void {
    this.lowest = Math.min(this.lowest, this.waiting);
    this.sinceLook += seconds;
    if (this.sinceLook < 2) return;
    if (this.lowest > 240) {
      this.position += 80;
      this.reserve = Math.max(240, this.reserve - 80);
    }
    this.sinceLook = 0;
    this.lowest = Number.POSITIVE_INFINITY;
  }

  /** Catmull-Rom between the samples around `position`. */
  private at(position: number): number {
    const whole = Math.floor(position);
    const t = position - whole;
    const sample = (offset: number) => this.ring[(whole + offset + PHONE_RATE) % PHONE_RATE] ?? 0;
    const [a, b, c, d] = [sample(-1), sample(0), sample(1), sample(2)];
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  }
}

/** Low-pass and decimation from the sound card's rate to 8 kHz. */
export class PhoneWriter {
  private readonly taps: Float32Array;
  private readonly history: Float32Array;
  private head = 0;
  private phase = 0;

  constructor(
    private readonly rate: number,
    private readonly push: (sample: number) => void,
  ) {
    this.taps = lowPass(3_400 / rate, 63);
    this.history = new Float32Array(this.taps.length);
  }

  write(samples: Float32Array): void {
    for (const sample of samples) {
      this.history[this.head] = sample;
      this.head = (this.head + 1) % this.history.length;
      this.phase += PHONE_RATE;
      if (this.phase < this.rate) continue;
      this.phase -= this.rate;
      this.push(this.filtered());
    }
  }

  private filtered(): number {
    let sum = 0;
    const length = this.taps.length;
    for (let tap = 0; tap < length; tap++) {
      sum += (this.taps[tap] ?? 0) * (this.history[(this.head + tap) % length] ?? 0);
    }
    return sum;
  }
}

/** Windowed-sinc low-pass; `cutoff` as a share of the sampling rate. */
function lowPass(cutoff: number, length: number): Float32Array {
  const middle = (length - 1) / 2;
  const taps = Float32Array.from({ length }, (_, tap) => {
    const x = tap - middle;
    const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x);
    return sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * tap) / (length - 1)));
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}
