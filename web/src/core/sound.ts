/** The page's sound: one strip per side (agent, customer, others) with level, volume, solo and place in the room. */
import { levelOf } from "./format";

export const SIDES = ["agent", "customer", "others"] as const;
export type Side = (typeof SIDES)[number];

/** Enough for 20 ms and more at 48 kHz; the level of speech is read over a whole packet. */
const METER_SAMPLES = 2_048;
/** Agent left, customer right; not hard, so that one earpiece still carries both. */
const SPREAD: Record<Side, number> = { agent: -0.7, customer: 0.7, others: 0 };
/** Volume changes fade over this time; a step would click. */
const FADE_S = 0.015;

class Strip {
  readonly input: GainNode;
  readonly pan: StereoPannerNode;
  private readonly meter: AnalyserNode;
  private readonly samples = new Float32Array(METER_SAMPLES);
  private source: AudioNode | null = null;
  private element: HTMLAudioElement | null = null;

  constructor(context: AudioContext) {
    this.meter = new AnalyserNode(context, { fftSize: METER_SAMPLES });
    this.input = new GainNode(context);
    this.pan = new StereoPannerNode(context);
    this.input.connect(this.pan).connect(context.destination);
  }

  play(node: AudioNode, output = 0): void {
    this.silence();
    node.connect(this.input, output);
    node.connect(this.meter, output);
    this.source = node;
  }

  playTrack(context: AudioContext, track: MediaStreamTrack): void {
    const stream = new MediaStream([track]);
    // Chromium hands remote tracks to WebAudio as silence unless a media element plays them too; this one is muted.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    void element.play().catch(() => undefined);
    this.play(new MediaStreamAudioSourceNode(context, { mediaStream: stream }));
    this.element = element;
  }

  silence(): void {
    this.source?.disconnect();
    this.source = null;
    if (this.element) this.element.srcObject = null;
    this.element = null;
  }

  /** dBFS of the side as it arrives, before the volume. */
  level(): number {
    if (!this.source) return -96;
    this.meter.getFloatTimeDomainData(this.samples);
    return levelOf(this.samples);
  }
}

export interface StripSettings {
  volume: number;
  solo: boolean;
}

/** Must be made in a click: browsers start sound only then. */
export class Sound {
  readonly context = new AudioContext({ latencyHint: "interactive" });
  private readonly strips: Record<Side, Strip>;

  constructor() {
    this.strips = {
      agent: new Strip(this.context),
      customer: new Strip(this.context),
      others: new Strip(this.context),
    };
  }

  resume(): Promise<void> {
    return this.context.resume();
  }

  playTrack(side: Side, track: MediaStreamTrack): void {
    this.strips[side].playTrack(this.context, track);
  }

  playNode(side: Side, node: AudioNode, output: number): void {
    this.strips[side].play(node, output);
  }

  silence(): void {
    for (const side of SIDES) this.strips[side].silence();
  }

  level(side: Side): number {
    return this.strips[side].level();
  }

  set(settings: Record<Side, StripSettings>, spread: boolean): void {
    const soloed = SIDES.some((side) => settings[side].solo);
    for (const side of SIDES) {
      const { volume, solo } = settings[side];
      const gain = soloed && !solo ? 0 : volume;
      this.strips[side].input.gain.setTargetAtTime(gain, this.context.currentTime, FADE_S);
      this.strips[side].pan.pan.setTargetAtTime(spread ? SPREAD[side] : 0, this.context.currentTime, FADE_S);
    }
  }
}
