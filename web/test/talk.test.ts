/** Push to talk: the microphone is on the wire only while the key is down and the press is the newest. */
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { PushToTalk, TALK, type TalkState } from "../src/core/talk";
import { settled } from "./support";

const TRACK = { kind: "audio" } as MediaStreamTrack;
let wire: MediaStreamTrack | null;
let keys: string[];
let states: TalkState[];
let reasons: string[];
let running: number;
let answer: (value: MediaStreamTrack | Error) => void;
let tick: () => void;
let talk: PushToTalk;

beforeEach(() => {
  wire = null;
  keys = [];
  states = [];
  reasons = [];
  running = 0;
  talk = new PushToTalk({
    microphone: () =>
      new Promise((done, fail) => {
        answer = (value) => (value instanceof Error ? fail(value) : done(value));
      }),
    attach: (track) => {
      wire = track;
    },
    key: (mode) => keys.push(mode),
    every: (_ms, run) => {
      running++;
      tick = run;
      return () => {
        running--;
      };
    },
    onChange: (state, _mode, reason) => {
      states.push(state);
      reasons.push(reason);
    },
  });
});

const allow = async () => {
  answer(TRACK);
  await settled();
};

describe("push to talk", () => {
  test("asks, attaches, renews the lease, and lets go of everything", async () => {
    talk.press("whisper");
    expect(states).toEqual(["asking"]);
    expect(wire).toBeNull();
    await allow();
    expect(wire).toBe(TRACK);
    tick();
    tick();
    talk.session("whisper", "");
    talk.release();
    expect(states).toEqual(["asking", "keying", "speaking", "idle"]);
    expect(keys).toEqual(["whisper", "whisper", "whisper", "listen"]);
    expect(wire).toBeNull();
    expect(running).toBe(0);
  });

  test("does not open the microphone when the key was let go while the browser asked", async () => {
    talk.press("whisper");
    talk.release();
    await allow();
    expect(wire).toBeNull();
    expect(keys).toEqual([]);
  });

  test("an answer to an older press does not open a newer one", async () => {
    talk.press("whisper");
    const first = answer;
    talk.release();
    talk.press("whisper");
    first(TRACK);
    await settled();
    expect(wire).toBeNull();
    await allow();
    expect(wire).toBe(TRACK);
  });

  test("a refusal cuts at once and says why, until the key is let go", async () => {
    talk.press("whisper");
    await allow();
    talk.session("listen", "agent_holds");
    expect(states.at(-1)).toBe("refused");
    expect(reasons.at(-1)).toBe("agent_holds");
    expect(wire).toBeNull();
    expect(running).toBe(0);
    talk.release();
    expect(states.at(-1)).toBe("idle");
  });

  test("says the browser's reason when there is no microphone", async () => {
    talk.press("whisper");
    answer(Object.assign(new Error(), { name: "NotAllowedError" }));
    await settled();
    expect(states.at(-1)).toBe("refused");
    expect(reasons.at(-1)).toBe("NotAllowedError");
  });

  test("does not claim to speak while the server says listen, nor for another mode", async () => {
    talk.press("whisper");
    await allow();
    talk.session("listen", "");
    talk.session("barge", "");
    expect(states.at(-1)).toBe("keying");
    talk.session("whisper", "");
    talk.session("listen", "");
    expect(states.at(-1)).toBe("keying");
  });

  test("losing the connection ends it", async () => {
    talk.press("barge");
    await allow();
    talk.session("barge", "");
    talk.lost();
    expect(states.at(-1)).toBe("idle");
    expect(wire).toBeNull();
    expect(running).toBe(0);
  });

  test("whatever happens in whatever order, the microphone is on the wire in keying and speaking alone", async () => {
    const events = fc.constantFrom("press", "release", "lost", "allow", "deny", "grant", "withdraw", "refuse");
    await fc.assert(
      fc.asyncProperty(fc.array(events, { maxLength: 40 }), async (list) => {
        for (const event of list) {
          if (event === "press") talk.press("whisper");
          else if (event === "release") talk.release();
          else if (event === "lost") talk.lost();
          else if (event === "allow") answer?.(TRACK);
          else if (event === "deny") answer?.(new Error());
          else if (event === "grant") talk.session("whisper", "");
          else if (event === "withdraw") talk.session("listen", "");
          else talk.session("listen", "agent_holds");
          await settled();
          const state = states.at(-1) ?? "idle";
          const open = state === "keying" || state === "speaking";
          expect(wire !== null).toBe(open);
          expect(running).toBe(open ? 1 : 0);
        }
        talk.release();
      }),
      { numRuns: 200 },
    );
  });

  test("every way out of an open state takes the microphone off the wire", () => {
    for (const state of ["keying", "speaking"] as const) {
      for (const [event, step] of Object.entries(TALK[state])) {
        const [next, ...actions] = step;
        if (next !== "keying" && next !== "speaking") expect([event, actions]).toEqual([event, ["detach"]]);
      }
    }
  });
});
