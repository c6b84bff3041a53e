/** Audio worklets of the WebSocket fallback: one plays up to three 8 kHz channels, one cuts the microphone into frames. */
import { FRAME_SAMPLES, parseDown } from "./frames";
import { encodeMulaw, MULAW } from "./mulaw";
import { PhoneReader, PhoneWriter } from "./resample";

// The worklet's global scope is not in TypeScript's DOM library.
declare const sampleRate: number;
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

class Player extends AudioWorkletProcessor {
  private readonly readers = [new PhoneReader(), new PhoneReader(), new PhoneReader()];

  constructor() {
    super();
    this.port.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const frame = parseDown(event.data);
      if (frame) this.readers[frame.slot]?.writeAt(frame.timestamp, frame.codes, MULAW);
    };
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    outputs.forEach((output, channel) => {
      if (output[0]) this.readers[channel]?.read(output[0], sampleRate);
    });
    return true;
  }
}

class Microphone extends AudioWorkletProcessor {
  private frame = new Uint8Array(FRAME_SAMPLES);
  private filled = 0;
  private readonly writer = new PhoneWriter(sampleRate, (sample) => this.push(sample));

  process(inputs: Float32Array[][]): boolean {
    const samples = inputs[0]?.[0];
    if (samples) this.writer.write(samples);
    return true;
  }

  private push(sample: number): void {
    this.frame[this.filled++] = encodeMulaw(sample);
    if (this.filled < FRAME_SAMPLES) return;
    this.port.postMessage(this.frame, [this.frame.buffer]);
    this.frame = new Uint8Array(FRAME_SAMPLES);
    this.filled = 0;
  }
}

registerProcessor("livemon-player", Player);
registerProcessor("livemon-microphone", Microphone);
