/** Audio frames of the WebSocket fallback (docs/listen-protocol.md): `u8 kind, u8 slot, u16 sequence, u32 timestamp`, then mu-law. */

export const DOWN = 1;
export const UP = 2;
const HEADER = 8;
/** Agent, customer, others. */
const SLOTS = 3;
/** 120 ms, the longest packet time in use. */
const MOST_SAMPLES = 960;
/** 20 ms at 8 kHz: what the microphone sends at a time. */
export const FRAME_SAMPLES = 160;

export interface DownFrame {
  slot: number;
  /** 8 kHz, wraps at 32 bits. */
  timestamp: number;
  codes: Uint8Array;
}

/** Null for anything that is not a whole frame. */
export function parseDown(data: ArrayBuffer): DownFrame | null {
  if (data.byteLength <= HEADER || data.byteLength > HEADER + MOST_SAMPLES) return null;
  const head = new DataView(data);
  const slot = head.getUint8(1);
  if (head.getUint8(0) !== DOWN || slot >= SLOTS) return null;
  return { slot, timestamp: head.getUint32(4), codes: new Uint8Array(data, HEADER) };
}

/** One frame of the microphone; sequence and timestamp wrap. */
export function buildUp(sequence: number, timestamp: number, codes: Uint8Array): ArrayBuffer {
  const data = new ArrayBuffer(HEADER + codes.length);
  const head = new DataView(data);
  head.setUint8(0, UP);
  head.setUint8(1, 0);
  head.setUint16(2, sequence & 0xffff);
  head.setUint32(4, timestamp >>> 0);
  new Uint8Array(data, HEADER).set(codes);
  return data;
}
