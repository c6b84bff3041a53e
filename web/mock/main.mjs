// Several invented worlds, one port each: from MOCK_PORT on, or with 0 any that are free. Ends with its standard input.
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
export const ADDRESSES = {};
let port = BASE;
for (const [name, options] of Object.entries(WORLDS)) {
  const server = new MockServer(options);
  await server.start(port);
  ADDRESSES[name] = `http://127.0.0.1:${server.http.address().port}`;
  if (port) port++;
}
if (process.env.MOCK_PIPE) {
  console.log(JSON.stringify(ADDRESSES));
  process.stdin.on("end", () => process.exit(0)).resume();
} else for (const [name, address] of Object.entries(ADDRESSES)) console.log(`${name} ${address}/`);
