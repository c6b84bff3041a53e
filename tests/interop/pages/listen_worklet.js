// The worklets of the WebSocket fallback (docs/listen-protocol.md), at whatever rate the context runs, and an onset
// detector for measurements. Frames: kind u8, slot u8, seq u16, timestamp u32 (8000 Hz), mu-law; big-endian.

const TABLE = new Float32Array(256);
for (let i = 0; i < 256; i++) {
  const u = ~i & 255;
  const magnitude = ((((u & 15) << 3) + 0x84) << ((u >> 4) & 7)) - 0x84;
  TABLE[i] = (u & 128 ? -magnitude : magnitude) / 32768;
}

const SIZE = 16384; // samples of the ring: 2 s at 8000 Hz
const FIRST = 320; // 40 ms are waited for before sound begins: two packets of 20 ms
const MOST = 1600; // more than 200 ms waiting is not jitter: skip to the newest

class Slot {
  constructor() {
    this.ring = new Float32Array(SIZE);
    this.read = 0; // position in 8000 Hz samples, fractional because the context may run at another rate
    this.write = 0;
    this.base = null;
    this.target = FIRST;
    this.playing = false;
    this.least = Infinity;
    this.quiet = 0;
  }

  push(timestamp, samples) {
    if (this.base === null) this.base = timestamp - this.write;
    let at = (timestamp - this.base) | 0;
    // A stream that begins anew (another call, a long pause) continues at the write position.
    if (at < this.write - SIZE / 2 || at > this.write + SIZE / 2) {
      this.base = timestamp - this.write;
      at = this.write;
    }
    if (at + samples.length <= this.read) return; // too late
    for (let i = this.write; i < at; i++) this.ring[i % SIZE] = 0; // lost samples are silence
    for (let i = 0; i < samples.length; i++) this.ring[(at + i) % SIZE] = TABLE[samples[i]];
    this.write = Math.max(this.write, at + samples.length);
    if (this.write - this.read > MOST) this.read = this.write - this.target;
    if (!this.playing && this.write - this.read >= this.target) this.playing = true;
  }

  pull(out, step) {
    const level = this.write - this.read;
    if (this.playing && level < out.length * step + 1) {
      this.playing = false;
      this.target = Math.min(this.target + 80, 1200); // ran dry: 10 ms more next time, at most 150 ms
      this.least = Infinity;
    }
    if (!this.playing) return;
    for (let i = 0; i < out.length; i++) {
      const whole = Math.floor(this.read);
      const part = this.read - whole;
      out[i] = this.ring[whole % SIZE] * (1 - part) + this.ring[(whole + 1) % SIZE] * part;
      this.read += step;
    }
    this.least = Math.min(this.least, this.write - this.read);
    this.quiet += out.length * step;
    if (this.quiet > 16000) {
      // Every 2 s: what was never needed is skipped, 10 ms at a time.
      if (this.least > 240) {
        this.read += 80;
        this.target = Math.max(FIRST, this.target - 80);
      }
      this.quiet = 0;
      this.least = Infinity;
    }
  }
}

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.slots = [new Slot(), new Slot(), new Slot()];
    this.port.onmessage = (event) => {
      const view = new DataView(event.data);
      if (view.getUint8(0) !== 1) return;
      this.slots[view.getUint8(1)].push(view.getUint32(4), new Uint8Array(event.data, 8));
    };
  }

  process(_, outputs) {
    for (let slot = 0; slot < outputs.length; slot++) this.slots[slot].pull(outputs[slot][0], 8000 / sampleRate);
    return true;
  }
}
registerProcessor('player', Player);

function encode(value) {
  let sample = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
  const sign = sample < 0 ? 0x80 : 0;
  sample = Math.min(Math.abs(sample), 32635) + 0x84;
  let exponent = 7;
  for (let mask = 0x4000; (sample & mask) === 0 && exponent > 0; exponent--, mask >>= 1);
  return ~(sign | (exponent << 4) | ((sample >> (exponent + 3)) & 15)) & 255;
}

class Mic extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Uint8Array(168);
    this.fill = 0;
    this.sequence = 0;
    this.timestamp = 0;
    this.phase = 0;
    this.sum = 0;
    this.count = 0;
  }

  process(inputs) {
    const input = inputs[0][0];
    if (!input) return true;
    const step = 8000 / sampleRate;
    for (const value of input) {
      // A mean over the samples between two output samples is low-pass enough for a voice on the telephone.
      this.sum += value;
      this.count++;
      this.phase += step;
      if (this.phase < 1) continue;
      this.phase -= 1;
      this.frame[8 + this.fill++] = encode(this.sum / this.count);
      this.sum = 0;
      this.count = 0;
      if (this.fill === 160) this.flush();
    }
    return true;
  }

  flush() {
    const frame = this.frame.slice();
    const view = new DataView(frame.buffer);
    view.setUint8(0, 2);
    view.setUint16(2, this.sequence);
    view.setUint32(4, this.timestamp);
    this.sequence = (this.sequence + 1) & 0xffff;
    this.timestamp = (this.timestamp + 160) >>> 0;
    this.fill = 0;
    this.port.postMessage(frame.buffer, [frame.buffer]);
  }
}
registerProcessor('mic', Mic);

class Onset extends AudioWorkletProcessor {
  constructor() {
    super();
    this.last = -sampleRate;
  }

  process(inputs) {
    const input = inputs[0][0];
    if (!input) return true;
    for (let i = 0; i < input.length; i++) {
      if (Math.abs(input[i]) < 0.1) continue;
      // 200 ms of quiet before it make an onset.
      if (currentFrame + i - this.last > sampleRate * 0.2) this.port.postMessage(Date.now());
      this.last = currentFrame + i;
    }
    return true;
  }
}
registerProcessor('onset', Onset);
