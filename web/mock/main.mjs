// Several invented worlds, one port each.
import { MockServer } from "./server.mjs";

const BASE = Number(process.env.MOCK_PORT ?? 27100);
export const WORLDS = {
  demo: { calls: 8, demo: true, steady: true },
  team: { calls: 30 },
  large: { calls: 500, steady: true },
  calm: { calls: 14, calm: true, steady: true },
  empty: { calls: 0 },
  wall: { calls: 120, seed: 3, steady: true },
  guest: { calls: 8, signedIn: false, broken: true },
};
let port = BASE;
for (const [name, options] of Object.entries(WORLDS)) {
  await new MockServer(options).start(port);
  console.log(`${name} http://127.0.0.1:${port}/`);
  port++;
}
