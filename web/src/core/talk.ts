/** Push to talk, as one table. Nothing of the microphone leaves the page in any state but `keying` and `speaking`. */

export type TalkMode = "whisper" | "barge";
/**
 * `idle`; `asking` the browser for the microphone; `keying`: microphone attached, the bridge has not yet mixed it in;
 * `speaking`: the server says that the mode is in force; `refused`: it will not, until the key is let go.
 */
export type TalkState = "idle" | "asking" | "keying" | "speaking" | "refused";
export type TalkEvent =
  | "press"
  | "microphone"
  | "no_microphone"
  | "granted"
  | "withdrawn"
  | "refused"
  | "released"
  | "lost";

type Action = "ask" | "attach" | "detach";
type Step = readonly [next: TalkState, ...actions: Action[]];

/** State and event to next state and what is done on the way; an event that is not in the row changes nothing. */
export const TALK: Record<TalkState, Partial<Record<TalkEvent, Step>>> = {
  idle: { press: ["asking", "ask"] },
  asking: {
    microphone: ["keying", "attach"],
    no_microphone: ["refused"],
    released: ["idle"],
    lost: ["idle"],
  },
  keying: {
    granted: ["speaking"],
    refused: ["refused", "detach"],
    released: ["idle", "detach"],
    lost: ["idle", "detach"],
  },
  speaking: {
    withdrawn: ["keying"],
    refused: ["refused", "detach"],
    released: ["idle", "detach"],
    lost: ["idle", "detach"],
  },
  refused: { released: ["idle"], lost: ["idle"] },
};

export interface TalkParts {
  /** Asks for the microphone, or returns the one already open; rejects when the person or the browser says no. */
  microphone(): Promise<MediaStreamTrack>;
  /** Puts the microphone on the wire, or takes it off with null. */
  attach(track: MediaStreamTrack | null): void;
  /** Tells the server: speak in this mode, or `listen` when the key is let go. */
  key(mode: TalkMode | "listen"): void;
  every(ms: number, run: () => void): () => void;
  onChange(state: TalkState, mode: TalkMode, reason: string): void;
}

/** The lease is 1500 ms; three keys fit into it, so that two may be lost. */
const KEY_EVERY_MS = 400;

export class PushToTalk {
  private state: TalkState = "idle";
  private mode: TalkMode = "whisper";
  private stopKeys: (() => void) | null = null;
  /** An answer of the browser to an older press must not open the microphone for a newer one. */
  private press_ = 0;
  private track: MediaStreamTrack | null = null;

  constructor(private readonly parts: TalkParts) {}

  press(mode: TalkMode): void {
    if (this.state !== "idle") return;
    this.mode = mode;
    this.step("press", "");
  }

  release(): void {
    this.step("released", "");
  }

  /** The connection or the call is gone. */
  lost(): void {
    this.step("lost", "");
  }

  /** What the server says of the session. */
  session(mode: string, refused: string): void {
    if (refused && (this.state === "keying" || this.state === "speaking")) this.step("refused", refused);
    else this.step(mode === this.mode ? "granted" : "withdrawn", "");
  }

  private step(event: TalkEvent, reason: string): void {
    const step = TALK[this.state][event];
    if (!step) return;
    const [next, ...actions] = step;
    this.state = next;
    this.parts.onChange(next, this.mode, reason);
    for (const action of actions) this.do(action);
  }

  private do(action: Action): void {
    if (action === "ask") void this.ask();
    else if (action === "attach") this.attach();
    else this.detach();
  }

  private async ask(): Promise<void> {
    const press = ++this.press_;
    try {
      const track = await this.parts.microphone();
      if (press !== this.press_ || this.state !== "asking") return;
      this.track = track;
      this.step("microphone", "");
    } catch (error) {
      if (press === this.press_) this.step("no_microphone", error instanceof Error ? error.name : "no_microphone");
    }
  }

  private attach(): void {
    this.parts.attach(this.track);
    this.parts.key(this.mode);
    this.stopKeys = this.parts.every(KEY_EVERY_MS, () => this.parts.key(this.mode));
  }

  private detach(): void {
    // First the microphone, then the word to the server: the order in which it is safe to fail half-way.
    this.parts.attach(null);
    this.stopKeys?.();
    this.stopKeys = null;
    this.parts.key("listen");
  }
}
