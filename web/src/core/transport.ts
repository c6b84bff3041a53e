/** Two ways for the sound to reach the page: WebRTC, and a WebSocket with audio worklets where that cannot connect. */
import { api, type OpenedFallback } from "./api";
import { buildUp } from "./frames";
import { fallbackAddress } from "./paths";
import { SIDES, type Sound } from "./sound";
import workletUrl from "./worklet.ts?worker&url";

/** WebRTC usually connects in 0.2 s; after this long it will not (UDP blocked), and the listener has waited enough. */
const ICE_WAIT_MS = 4_000;
/** Bytes of microphone waiting in the socket. */
const MOST_BUFFERED = 4_000;

export interface Transport {
  readonly kind: "webrtc" | "websocket";
  readonly session: string;
  setMicrophone(track: MediaStreamTrack | null): void;
  /** Called once when the sound is lost for good. */
  onLost: (() => void) | null;
  /** Closes the connection; the session on the server is closed by its owner. */
  close(): void;
}

/** ICE did not connect in time; the fallback may. */
export class NoRoute extends Error {
  constructor(readonly session: string) {
    super("no route");
  }
}

class WebRtc implements Transport {
  readonly kind = "webrtc";
  session = "";
  onLost: (() => void) | null = null;
  private readonly connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
  private readonly talk: RTCRtpTransceiver;

  constructor(private readonly sound: Sound) {
    // All three from the first offer, so that neither a hop nor the microphone needs another one.
    this.talk = this.connection.addTransceiver("audio", { direction: "sendrecv" });
    this.connection.addTransceiver("audio", { direction: "recvonly" });
    this.connection.addTransceiver("audio", { direction: "recvonly" });
  }

  async connect(call: string): Promise<void> {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    const opened = await api.listen(call, this.connection.localDescription?.sdp ?? "");
    this.session = opened.session;
    await this.connection.setRemoteDescription({ type: "answer", sdp: opened.answer });
    this.connection.getTransceivers().forEach((transceiver, place) => {
      const side = SIDES[place];
      // The server's packets come as they are; the browser's own delay should be as short as it can.
      if ("jitterBufferTarget" in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
      if (side) this.sound.playTrack(side, transceiver.receiver.track);
    });
    await this.connected();
    this.connection.onconnectionstatechange = () => this.watch();
    this.watch();
  }

  private connected(): Promise<void> {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new NoRoute(this.session)), ICE_WAIT_MS);
      const look = () => {
        const state = this.connection.connectionState;
        if (state === "connected" || state === "failed") clearTimeout(timer);
        if (state === "connected") done();
        else if (state === "failed") fail(new NoRoute(this.session));
      };
      this.connection.onconnectionstatechange = look;
      look();
    });
  }

  private watch(): void {
    // `disconnected` may heal by itself within seconds; for a live call that is too long, and a new session takes 0.2 s.
    if (["disconnected", "failed", "closed"].includes(this.connection.connectionState)) {
      this.onLost?.();
      this.onLost = null;
    }
  }

  setMicrophone(track: MediaStreamTrack | null): void {
    void this.talk.sender.replaceTrack(track).catch(() => undefined);
  }

  close(): void {
    this.onLost = null;
    this.connection.onconnectionstatechange = null;
    this.connection.close();
    this.sound.silence();
  }
}

class WebSocketAudio implements Transport {
  readonly kind = "websocket";
  readonly session: string;
  onLost: (() => void) | null = null;
  private readonly player: AudioWorkletNode;
  private readonly microphone: AudioWorkletNode;
  private microphoneSource: MediaStreamAudioSourceNode | null = null;
  private socket: WebSocket | null = null;
  private sequence = 0;
  private timestamp = 0;

  constructor(
    private readonly sound: Sound,
    private readonly opened: OpenedFallback,
  ) {
    this.session = opened.session;
    this.player = new AudioWorkletNode(sound.context, "livemon-player", {
      numberOfInputs: 0,
      numberOfOutputs: SIDES.length,
      outputChannelCount: SIDES.map(() => 1),
    });
    this.microphone = new AudioWorkletNode(sound.context, "livemon-microphone", { numberOfOutputs: 0 });
    this.microphone.port.onmessage = (event: MessageEvent<Uint8Array>) => {
      if (this.microphoneSource && this.socket?.readyState === WebSocket.OPEN) {
        this.send(this.socket, event.data);
      }
    };
    SIDES.forEach((side, output) => {
      sound.playNode(side, this.player, output);
    });
  }

  connect(): Promise<void> {
    const socket = new WebSocket(fallbackAddress(this.opened.url, location), "livemon-listen.1");
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    return new Promise((done, fail) => {
      socket.onopen = () => {
        socket.send(JSON.stringify({ type: "ticket", ticket: this.opened.ticket }));
        done();
      };
      socket.onmessage = (event: MessageEvent<unknown>) => {
        if (event.data instanceof ArrayBuffer) this.player.port.postMessage(event.data, [event.data]);
      };
      socket.onclose = () => {
        fail(new NoRoute(this.session));
        this.onLost?.();
        this.onLost = null;
      };
    });
  }

  private send(socket: WebSocket, codes: Uint8Array): void {
    const frame = buildUp(this.sequence++, this.timestamp, codes);
    this.timestamp += codes.length;
    // Half a second on the way already: an old word is worse than a lost one.
    if (socket.bufferedAmount <= MOST_BUFFERED) socket.send(frame);
  }

  setMicrophone(track: MediaStreamTrack | null): void {
    this.microphoneSource?.disconnect();
    this.microphoneSource = null;
    if (!track) return;
    this.microphoneSource = new MediaStreamAudioSourceNode(this.sound.context, {
      mediaStream: new MediaStream([track]),
    });
    this.microphoneSource.connect(this.microphone);
  }

  close(): void {
    this.onLost = null;
    if (this.socket) this.socket.onclose = null;
    this.socket?.close();
    this.setMicrophone(null);
    this.player.port.close();
    this.player.disconnect();
    this.microphone.port.close();
    this.sound.silence();
  }
}

export async function openWebRtc(sound: Sound, call: string): Promise<Transport> {
  const transport = new WebRtc(sound);
  try {
    await transport.connect(call);
    return transport;
  } catch (error) {
    transport.close();
    // With a session open, whatever went wrong was on the way of the sound: the other way may be free.
    throw transport.session && !(error instanceof NoRoute) ? new NoRoute(transport.session) : error;
  }
}

const modules = new WeakMap<AudioContext, Promise<void>>();

export async function openWebSocket(sound: Sound, call: string): Promise<Transport> {
  const loaded = modules.get(sound.context) ?? sound.context.audioWorklet.addModule(workletUrl);
  modules.set(sound.context, loaded);
  await loaded;
  const transport = new WebSocketAudio(sound, await api.listenByWebSocket(call));
  try {
    await transport.connect();
    return transport;
  } catch (error) {
    transport.close();
    throw error;
  }
}
