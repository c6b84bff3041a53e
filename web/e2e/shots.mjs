// Pictures of every page for eyes: node e2e/shots.mjs [page...]; needs `npm run build`; writes to shots/.
import { mkdirSync } from "node:fs";
import { chromium } from "@playwright/test";
import { ADDRESSES } from "../mock/main.mjs";

const only = process.argv.slice(2);
const SIZES = [
  [1440, 900],
  [1920, 1080],
  [390, 844],
];
const at = (name) => ADDRESSES[name];
const tryListen = async (page) => {
  await page.locator(".row .c-listen .button:not([aria-disabled=true])").first().click();
  await page.getByText("WebSocket").waitFor({ timeout: 7_000 });
};
const PAGES = {
  console: [at("team"), "/"],
  demo: [at("demo"), "/"],
  listening: [at("demo"), "/", tryListen],
  whisper: [
    at("demo"),
    "/",
    async (page) => {
      await tryListen(page);
      await page.locator(".whisper").hover();
      await page.mouse.down();
      await page.locator(".whisper.on").waitFor();
      await page.waitForTimeout(300);
    },
  ],
  barge: [
    at("demo"),
    "/",
    async (page) => {
      await tryListen(page);
      await page.getByRole("button", { name: "Speak to both" }).click();
      await page.waitForTimeout(200);
    },
  ],
  heard: [at("demo"), "/", async (page) => page.getByRole("button", { name: "What the parties hear" }).click()],
  barging: [
    at("demo"),
    "/",
    async (page) => {
      await tryListen(page);
      await page.getByRole("button", { name: "Speak to both" }).click();
      await page.locator(".dialog .danger").click();
      await page.getByRole("button", { name: "Keep open" }).click();
      await page.locator(".both.on").waitFor();
      await page.waitForTimeout(300);
    },
  ],
  empty: [at("empty"), "/"],
  pseudo: [at("demo"), "/?lang=pseudo"],
  wallboard: [at("wall"), "/wallboard"],
  wall8: [at("demo"), "/wallboard"],
  calm: [at("calm"), "/wallboard"],
  audit: [at("demo"), "/audit"],
  login: [at("guest"), "/login"],
  setup: [at("guest"), "/setup"],
};

mkdirSync("shots", { recursive: true });
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
  ],
});
for (const [name, [base, path, act]] of Object.entries(PAGES)) {
  if (only.length && !only.includes(name)) continue;
  for (const [width, height] of SIZES) {
    for (const colorScheme of ["dark", "light"]) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme });
      page.on(
        "console",
        (message) => ["error", "warning"].includes(message.type()) && console.log(name, width, message.text()),
      );
      page.on("pageerror", (error) => console.log(name, width, String(error)));
      await page.goto(base + path);
      page.setDefaultTimeout(3_000);
      await page.waitForTimeout(1200);
      try {
        await act?.(page);
      } catch (error) {
        console.log(name, width, colorScheme, String(error).split("\n")[0]);
      }
      await page.waitForTimeout(300);
      await page.screenshot({ path: `shots/${name}-${width}-${colorScheme}.png` });
      await page.close();
    }
  }
}
await browser.close();
process.exit(0);
