import { defineConfig } from "@playwright/test";

const port = Number(process.env.MOCK_PORT ?? 27200);

export default defineConfig({
  testDir: "e2e",
  testMatch: "*.spec.ts",
  workers: 1,
  timeout: 30_000,
  reporter: "list",
  outputDir: "test-results",
  use: {
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--allow-loopback-in-peer-connection",
        "--disable-features=WebRtcHideLocalIpsWithMdns",
      ],
    },
  },
  webServer: {
    command: "node mock/main.mjs",
    env: { MOCK_PORT: String(port) },
    url: `http://127.0.0.1:${port}/login`,
    reuseExistingServer: false,
  },
});
