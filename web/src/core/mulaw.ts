/** G.711 mu-law (ITU-T G.711), samples as floats in -1..1. */

const BIAS = 0x84;
const CLIP = 32635;

function decodeOne(code: number): number {
  const inverted = ~code & 0xff;
  const magnitude = (((inverted & 0x0f) << 3) + BIAS) << ((inverted >> 4) & 7);
  return (inverted & 0x80 ? BIAS - magnitude : magnitude - BIAS) / 32768;
}

/** All 256 codes decoded. */
export const MULAW = Float32Array.from({ length: 256 }, (_, code) => decodeOne(code));

export function encodeMulaw(sample: number): number {
  const value = Math.round(sample * 32767);
  const magnitude = Math.min(Math.abs(value), CLIP) + BIAS;
  const exponent = 24 - Math.clz32(magnitude);
  return ~((value < 0 ? 0x80 : 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}
