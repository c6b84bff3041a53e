/** Shared by the page tests: where each invented world lives, what a page may never do, and a real WebRTC peer. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Browser, expect, type Page, test as plain } from "@playwright/test";

type World = "demo" | "team" | "large" | "calm" | "empty" | "wall" | "guest";
let addresses: Record<World, string>;
export const at = (world: World, path = "/") => addresses[world] + path;

/** Every page test fails on a script error and on anything the security policy forbids. */
export const test = plain.extend<{ clean: undefined }, { worlds: undefined }>({
  worlds: [
    // biome-ignore lint/correctness/noEmptyPattern: playwright reads the names from the pattern
    async ({}, use) => {
      const server = spawn(process.execPath, ["mock/main.mjs"], {
        env: { ...process.env, MOCK_PORT: "0", MOCK_PIPE: "1" },
        stdio: ["pipe", "pipe", "inherit"],
      });
      for await (const line of createInterface(server.stdout)) {
        addresses = JSON.parse(line);
        break;
      }
      await use(undefined);
      server.stdin.end();
    },
    { auto: true, scope: "worker" },
  ],
  clean: [
    async ({ page }, use) => {
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("console", (message) => {
        if (/Content Security Policy|feed: /.test(message.text())) faults.push(message.text());
      });
      await use(undefined);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});
export { expect };

export async function lever(page: Page, world: World, name: string, body: object): Promise<void> {
  await page.request.post(at(world, `/mock/${name}`), { data: body });
}

/** What the browser told the server since the last look. */
export async function log(
  page: Page,
  world: World,
): Promise<{ type: string; mode?: string; method?: string; bytes?: number }[]> {
  return (await page.request.get(at(world, "/mock/log"))).json();
}

/** A second page that answers offers: 440 Hz as agent, 880 Hz as customer, 1320 Hz as others; it measures the microphone. */
export async function answerer(browser: Browser, world: World): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(at(world, "/login"));
  await lever(page, world, "set", { peer: true });
  await page.evaluate(() => {
    const context = new AudioContext();
    const tones = [440, 880, 1320].map((frequency) => {
      const out = context.createMediaStreamDestination();
      const tone = new OscillatorNode(context, { frequency });
      tone.connect(new GainNode(context, { gain: 0.2 })).connect(out);
      tone.start();
      return out.stream.getAudioTracks()[0] as MediaStreamTrack;
    });
    const state = { packets: async () => 0 };
    Object.assign(window, { peerState: state });
    const answer = async (id: string, sdp: string) => {
      const peer = new RTCPeerConnection();
      await peer.setRemoteDescription({ type: "offer", sdp });
      peer.getTransceivers().forEach((transceiver, place) => {
        transceiver.direction = place === 0 ? "sendrecv" : "sendonly";
        void transceiver.sender.replaceTrack(tones[place] ?? null);
      });
      await peer.setLocalDescription(await peer.createAnswer());
      await new Promise<void>((done) => {
        const look = () => peer.iceGatheringState === "complete" && done();
        peer.onicegatheringstatechange = look;
        look();
      });
      state.packets = async () => {
        let packets = 0;
        for (const report of (await peer.getStats()).values())
          if (report.type === "inbound-rtp") packets += report.packetsReceived;
        return packets;
      };
      await fetch("/mock/answer", { method: "POST", body: JSON.stringify({ id, sdp: peer.localDescription?.sdp }) });
    };
    setInterval(async () => {
      const offer = await (await fetch("/mock/offer")).json();
      if (offer.id) await answer(offer.id, offer.sdp);
    }, 100);
  });
  // Sound starts only after a click: the same rule the tested page lives by.
  await page.mouse.click(5, 5);
  return page;
}

export async function startListening(page: Page, row = 0): Promise<void> {
  await page.locator(".row .c-listen .button:not([aria-disabled=true])").nth(row).click();
}
