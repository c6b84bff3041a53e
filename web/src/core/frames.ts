/** Audio frames of the WebSocket fallback: `u8 type, u8 channels, u16 sequence` (network order), then 20 ms of mu-law per channel. */

export const DOWN = 1;
export const UP = 2;
const HEADER = 4;
/** 20 ms at 8 kHz. */
export const FRAME_SAMPLES = 160;

export interface DownFrame {
  sequence: number;
  channels: Uint8Array[];
}

/** Null for anything that is not a whole frame. */
export function parseDown(data: ArrayBuffer): DownFrame | null {
  if (data.byteLength < HEADER) return null;
  const head = new DataView(data);
  const count = head.getUint8(1);
  if (head.getUint8(0) !== DOWN || data.byteLength !== HEADER + count * FRAME_SAMPLES) return null;
  const channels = Array.from(
    { length: count },
    (_, place) => new Uint8Array(data, HEADER + place * FRAME_SAMPLES, FRAME_SAMPLES),
  );
  return { sequence: head.getUint16(2), channels };
}

/** One frame of the microphone. */
export function buildUp(sequence: number, codes: Uint8Array): ArrayBuffer {
  const data = new ArrayBuffer(HEADER + codes.length);
  const head = new DataView(data);
  head.setUint8(0, UP);
  head.setUint8(1, 1);
  head.setUint16(2, sequence & 0xffff);
  new Uint8Array(data, HEADER).set(codes);
  return data;
}
