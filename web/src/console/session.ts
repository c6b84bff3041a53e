/** Listening and speaking of this page: the core's machines wired to the feed, the sound and Solid's signals. */
import { createSignal, onCleanup } from "solid-js";
import { createStore } from "solid-js/store";
import { api } from "../core/api";
import { Listening, type ListeningView } from "../core/listening";
import { SIDES, type Side, Sound, type StripSettings } from "../core/sound";
import { PushToTalk, type TalkMode, type TalkState } from "../core/talk";
import { realTimers } from "../core/timers";
import { NoRoute, openWebRtc, openWebSocket } from "../core/transport";
import type { SessionState } from "../core/wire";
import type { Live } from "../ui/live";

const MICROPHONE: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

export interface TalkView {
  state: TalkState;
  mode: TalkMode;
  /** Why the last press did not work, until the next one. */
  reason: string;
}

/** The microphone, opened at the first press and closed when listening stops. */
class Microphone {
  private stream: MediaStream | null = null;

  async track(): Promise<MediaStreamTrack> {
    const known = this.stream?.getAudioTracks()[0];
    if (known?.readyState === "live") return known;
    // Without HTTPS browsers do not even have the call.
    if (!navigator.mediaDevices) throw Object.assign(new Error(), { name: "insecure" });
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
    const [track] = this.stream.getAudioTracks();
    if (!track) throw Object.assign(new Error(), { name: "NotFoundError" });
    return track;
  }

  close(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }
}

export function createSession(live: Live) {
  const [view, setView] = createSignal<ListeningView>({
    state: "idle",
    call: null,
    session: null,
    transport: null,
    reason: "",
  });
  const [told, setTold] = createSignal<SessionState | null>(null);
  const [talk, setTalk] = createSignal<TalkView>({ state: "idle", mode: "whisper", reason: "" });
  const [barge, setBarge] = createSignal<"closed" | "armed" | "latched">("closed");
  const [strips, setStrips] = createStore<Record<Side, StripSettings>>({
    agent: { volume: 1, solo: false },
    customer: { volume: 1, solo: false },
    others: { volume: 1, solo: false },
  });
  const [spread, setSpread] = createSignal(false);
  let sound: Sound | null = null;
  const microphone = new Microphone();
  /** Latest level the agent leg received; read by a meter, so not a signal. */
  let whisperDbfs = -96;

  const theSound = () => {
    sound ??= new Sound();
    return sound;
  };
  const applyStrips = () => sound?.set(strips, spread());

  const listening = new Listening({
    timers: realTimers,
    random: Math.random,
    openWebRtc: (call) => openWebRtc(theSound(), call),
    openWebSocket: (call) => openWebSocket(theSound(), call),
    noRoute: (error) => (error instanceof NoRoute ? error : null),
    hop: (session, call) => api.hop(session, call),
    closeSession: (session) => api.close(session),
    onChange(next) {
      const before = view();
      setView(next);
      if (next.session !== before.session || next.call !== before.call) setTold(null);
      if (next.state !== "listening") push.lost();
      if (next.call !== before.call || !["listening", "reconnecting"].includes(next.state)) setBarge("closed");
      if (["idle", "failed", "ended"].includes(next.state)) microphone.close();
    },
  });

  const push = new PushToTalk({
    microphone: () => microphone.track(),
    attach: (track) => listening.setMicrophone(track),
    key(mode) {
      const { session } = listening.current;
      if (session && live.feed.key(session, mode)) return;
      // Without the feed the lease cannot be renewed; do not pretend. Not from inside the step that asked.
      if (mode !== "listen") queueMicrotask(() => push.lost());
    },
    every(ms, run) {
      const handle = setInterval(run, ms);
      return () => clearInterval(handle);
    },
    onChange(state, mode, reason) {
      // The reason of a refusal stays readable after the key is let go, until the next press.
      const kept = state === "idle" ? talk().reason : reason;
      setTalk({ state, mode, reason: kept });
      whisperDbfs = -96;
    },
  });

  live.onSession((state) => {
    if (!listening.session(state)) return;
    setTold(state);
    whisperDbfs = state.whisper_dbfs;
    push.session(state.mode, state.refused);
  });

  const release = () => {
    push.release();
    if (barge() === "latched") setBarge("armed");
  };
  const letGo = () => {
    // A latched barge was opened on purpose and survives another window being in front; a held key does not.
    if (barge() !== "latched") push.release();
  };
  const onHidden = () => {
    if (document.hidden) release();
  };
  const onExit = () => {
    push.release();
    const { session } = listening.current;
    if (session) api.closeOnExit(session);
  };
  addEventListener("blur", letGo);
  addEventListener("pagehide", onExit);
  document.addEventListener("visibilitychange", onHidden);
  onCleanup(() => {
    removeEventListener("blur", letGo);
    removeEventListener("pagehide", onExit);
    document.removeEventListener("visibilitychange", onHidden);
    listening.stop();
  });

  return {
    view,
    told,
    talk,
    barge,
    strips,
    spread,
    sides: SIDES,
    /** Must be called from a click or a key, so that the browser lets the sound start. */
    listen(call: string) {
      void theSound().resume();
      applyStrips();
      release();
      void listening.listen(call);
    },
    stop() {
      release();
      listening.stop();
    },
    callGone: (call: string) => listening.callGone(call),
    press: (mode: TalkMode) => push.press(mode),
    release,
    arm: () => setBarge("armed"),
    disarm() {
      push.release();
      setBarge("closed");
    },
    latch() {
      push.press("barge");
      setBarge("latched");
    },
    setVolume(side: Side, volume: number) {
      setStrips(side, "volume", volume);
      applyStrips();
    },
    toggleSolo(side: Side) {
      setStrips(side, "solo", (solo) => !solo);
      applyStrips();
    },
    toggleSpread() {
      setSpread((on) => !on);
      applyStrips();
    },
    level: (side: Side) => sound?.level(side) ?? -96,
    whisperLevel: () => (talk().state === "speaking" ? whisperDbfs : -96),
  };
}

export type ListenSession = ReturnType<typeof createSession>;
