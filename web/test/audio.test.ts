/** The fallback's sound: G.711 codes, frames, and both rate changes judged by tone. */
import { describe, expect, test } from "vitest";
import { buildUp, DOWN, FRAME_SAMPLES, parseDown, UP } from "../src/core/frames";
import { encodeMulaw, MULAW } from "../src/core/mulaw";
import { PHONE_RATE, PhoneReader, PhoneWriter } from "../src/core/resample";

/** Amplitude of one frequency (Goertzel). */
function tone(samples: ArrayLike<number>, rate: number, hertz: number): number {
  let re = 0;
  let im = 0;
  for (let i = 0; i < samples.length; i++) {
    re += (samples[i] ?? 0) * Math.cos((2 * Math.PI * hertz * i) / rate);
    im += (samples[i] ?? 0) * Math.sin((2 * Math.PI * hertz * i) / rate);
  }
  return (2 * Math.hypot(re, im)) / samples.length;
}

const sine = (rate: number, hertz: number, length: number, from = 0) =>
  Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * (from + i)) / rate));

describe("mu-law", () => {
  test("every code survives the way through samples", () => {
    const back = Array.from({ length: 256 }, (_, code) => encodeMulaw(MULAW[code] ?? 0));
    // 0x7f is minus zero, which samples do not have.
    expect(back).toEqual(Array.from({ length: 256 }, (_, code) => (code === 0x7f ? 0xff : code)));
  });

  test.each([
    [0xff, 0],
    [0x00, -32124],
    [0x80, 32124],
  ])("code %i is sample %i (ITU-T G.711)", (code, sample) => {
    expect((MULAW[code] ?? 0) * 32768).toBeCloseTo(sample, 3);
  });

  test("clips instead of wrapping", () => {
    expect(encodeMulaw(2)).toBe(0x80);
    expect(encodeMulaw(-2)).toBe(0x00);
  });
});

describe("frames", () => {
  const down = (slot: number, samples = FRAME_SAMPLES) => {
    const data = new Uint8Array(8 + samples).fill(7);
    data.set([DOWN, slot, 0, 1, 0, 0, 1, 2]);
    return data;
  };

  test("carries one slot", () => {
    const frame = parseDown(down(1).buffer);
    expect(frame).toMatchObject({ slot: 1, timestamp: 0x102 });
    expect([frame?.codes.length, frame?.codes[0]]).toEqual([160, 7]);
  });

  test("heads alone, other kinds, other slots and giants are refused", () => {
    for (let length = 0; length <= 8; length++) expect(parseDown(down(0).slice(0, length).buffer)).toBeNull();
    expect(parseDown(down(3).buffer)).toBeNull();
    expect(parseDown(down(0, 961).buffer)).toBeNull();
    const up = down(0);
    up[0] = UP;
    expect(parseDown(up.buffer)).toBeNull();
  });

  test("the microphone's sequence number and timestamp wrap", () => {
    const head = new DataView(buildUp(0x1_0005, 2 ** 32 + 7, new Uint8Array(FRAME_SAMPLES)));
    expect([head.getUint8(0), head.getUint8(1), head.getUint16(2), head.getUint32(4)]).toEqual([UP, 0, 5, 7]);
  });
});

describe("places in time", () => {
  const frame = new Uint8Array(FRAME_SAMPLES).fill(encodeMulaw(0.5));
  const heard = (...timestamps: number[]) => {
    const reader = new PhoneReader();
    for (const timestamp of timestamps) reader.writeAt(timestamp, frame, MULAW);
    const block = new Float32Array(1_200);
    reader.read(block, PHONE_RATE);
    return Array.from({ length: 7 }, (_, place) => (block[place * FRAME_SAMPLES + 80] ?? 0) > 0.4);
  };

  test("a hole is silence of its own length", () => {
    expect(heard(0, 160, 480, 640, 800, 960, 1120).slice(0, 4)).toEqual([true, true, false, true]);
  });

  test("a late packet is left out, a jump begins anew, the wrap is no jump", () => {
    expect(heard(0, 160, 0, 320, 480, 640, 800, 960, 1120)).not.toContain(false);
    expect(heard(0, 160, 90_000_000, 90_000_160, 90_000_320, 90_000_480, 90_000_640, 90_000_800)).not.toContain(false);
    const near = 2 ** 32 - 320;
    expect(heard(near, near + 160, 0, 160, 320, 480, 640, 800)).not.toContain(false);
  });
});

describe("rate changes", () => {
  test.each([44_100, 48_000])("a tone from the phone is heard at %i Hz", (rate) => {
    const reader = new PhoneReader();
    const heard: number[] = [];
    const block = new Float32Array(128);
    let fed = 0;
    for (let at = 0; at < rate; at += block.length) {
      while (fed <= (at / rate) * PHONE_RATE + 400) {
        reader.write(Uint8Array.from(sine(PHONE_RATE, 440, FRAME_SAMPLES, fed), encodeMulaw), MULAW);
        fed += FRAME_SAMPLES;
      }
      reader.read(block, rate);
      heard.push(...block);
    }
    const steady = heard.slice(rate / 2);
    expect(tone(steady, rate, 440)).toBeGreaterThan(0.48);
    expect(tone(steady, rate, 1_000)).toBeLessThan(0.01);
    expect(reader.underruns).toBe(0);
  });

  test("running dry is silence, then sound again", () => {
    const reader = new PhoneReader();
    const block = new Float32Array(128).fill(1);
    reader.read(block, 48_000);
    expect(Math.max(...block)).toBe(0);
    const frame = Uint8Array.from(sine(PHONE_RATE, 440, FRAME_SAMPLES), encodeMulaw);
    reader.write(frame, MULAW);
    reader.write(frame, MULAW);
    reader.read(block, 48_000);
    expect(Math.max(...block)).toBeGreaterThan(0.05);
    for (let i = 0; i < 40; i++) reader.read(block, 48_000);
    expect(reader.underruns).toBe(1);
    expect(Math.max(...block)).toBe(0);
  });

  test("after a stall the reader goes back to the live edge", () => {
    const reader = new PhoneReader();
    const block = new Float32Array(128);
    for (let i = 0; i < 30; i++) reader.write(new Uint8Array(FRAME_SAMPLES).fill(0xff), MULAW);
    for (let i = 0; i < 2; i++) reader.write(Uint8Array.from(sine(PHONE_RATE, 440, FRAME_SAMPLES), encodeMulaw), MULAW);
    let quiet = 0;
    do reader.read(block, 48_000);
    while (Math.max(...block) < 0.05 && ++quiet < 100);
    // 128 samples at 48 kHz are 2.7 ms: the tone must be reached within the reserve of some packets, not after 600 ms.
    expect(quiet * 2.7).toBeLessThan(200);
  });

  test("a tone of the microphone arrives, one the telephone cannot carry does not fold back", () => {
    const pushed: number[] = [];
    const writer = new PhoneWriter(48_000, (sample) => pushed.push(sample));
    const both = sine(48_000, 1_000, 48_000).map(
      (value, i) => value + 0.5 * Math.sin((2 * Math.PI * 6_500 * i) / 48_000),
    );
    writer.write(both);
    expect(pushed.length).toBe(PHONE_RATE);
    expect(tone(pushed, PHONE_RATE, 1_000)).toBeGreaterThan(0.45);
    expect(tone(pushed, PHONE_RATE, 1_500)).toBeLessThan(0.01);
  });
});
