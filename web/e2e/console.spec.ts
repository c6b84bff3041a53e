/** The console against the invented server. */
import type { Page } from "@playwright/test";
import { answerer, at, expect, lever, log, startListening, test } from "./support";

test("shows every call, worst first, with running times that run", async ({ page }) => {
  await page.goto(at("demo"));
  await expect(page.locator(".row")).toHaveCount(8);
  await expect(page.locator(".row").first()).toContainText("Dead air");
  const silence = page.locator(".row").first().locator(".c-silence .figure");
  const before = await silence.textContent();
  await expect(silence).not.toHaveText(before ?? "");
});

test("rows do not move under the pointer", async ({ page }) => {
  await page.goto(at("team"));
  await page.locator(".row").nth(3).hover();
  await expect(page.getByText("Order held while you point")).toBeVisible();
  await page.mouse.move(700, 20);
  await expect(page.getByText("Order held while you point")).toHaveCount(0);
});

test("the filter finds agents and queues, and says what is hidden", async ({ page }) => {
  await page.goto(at("demo"));
  await page.keyboard.press("/");
  await page.keyboard.type("anna berg");
  await expect(page.locator(".row")).toHaveCount(1);
  await page.getByRole("searchbox").fill("nobody has this name");
  await expect(page.getByText("8 calls are hidden.")).toBeVisible();
  await page.getByRole("button", { name: "Clear filter" }).click();
  await expect(page.locator(".row")).toHaveCount(8);
});

test("a greyed Listen says why", async ({ page }) => {
  await page.goto(at("demo"));
  const ringing = page.locator(".row", { hasText: "Ringing" });
  await expect(ringing.getByRole("button")).toHaveAttribute("title", "The call is not answered yet");
  await ringing.getByRole("button").click({ force: true });
  await expect(page.locator(".row[data-active]")).toHaveCount(0);
});

test("comes back by itself after the feed was cut, and says when data are stale", async ({ page }) => {
  await page.goto(at("demo"));
  await expect(page.locator(".pulse")).toHaveText("Live");
  await lever(page, "demo", "set", { frozen: true });
  await expect(page.locator(".pulse")).toContainText("No data for");
  await lever(page, "demo", "set", { frozen: false });
  await expect(page.locator(".pulse")).toHaveText("Live");
  await lever(page, "demo", "drop", {});
  await expect(page.locator(".pulse")).toHaveText("Live");
  await expect(page.locator(".row")).toHaveCount(8);
});

test("calls of a node that does not answer are dimmed and stop counting", async ({ page }) => {
  await page.goto(at("calm"));
  await expect(page.locator(".row").first()).toBeVisible();
  await lever(page, "calm", "set", { staleNodes: ["node-0"] });
  await expect(page.getByText("node-0 does not answer")).toBeVisible();
  await expect(page.locator(".row:not([data-stale])")).toHaveCount(0);
  const time = page.locator(".row").first().locator(".c-time");
  // It counts on for 3 s, as at every hiccup; then it stands.
  await page.waitForTimeout(4_000);
  const stood = (await time.textContent()) ?? "";
  await page.waitForTimeout(2_000);
  await expect(time).toHaveText(stood);
  await lever(page, "calm", "set", { staleNodes: [] });
  await expect(page.locator(".row[data-stale]")).toHaveCount(0);
  await expect(time).not.toHaveText(stood);
});

test.describe("by WebRTC", () => {
  test("both legs sound, hop keeps the connection, whisper sends only while held", async ({ page, browser }) => {
    const peer = await answerer(browser, "demo");
    const packets = () =>
      peer.evaluate(() => (window as unknown as { peerState: { packets(): Promise<number> } }).peerState.packets());
    await page.goto(at("demo"));
    await startListening(page);
    await expect(page.locator(".status")).toContainText("Listening");
    for (const side of ["Agent", "Customer", "Others"]) {
      const meter = page.getByRole("meter", { name: `Level, ${side}` });
      await expect.poll(async () => Number(await meter.getAttribute("aria-valuenow"))).toBeGreaterThan(-40);
    }
    await log(page, "demo");
    await startListening(page, 2);
    await expect(page.locator(".status")).toContainText("Listening");
    expect((await log(page, "demo")).filter((entry) => entry.type === "http")).toMatchObject([
      { method: "POST", action: "hop" },
    ]);

    expect(await packets()).toBe(0);
    await page.keyboard.down("Space");
    await expect(page.locator(".whisper")).toContainText("the customer cannot hear");
    await expect.poll(packets).toBeGreaterThan(20);
    await page.keyboard.up("Space");
    await expect(page.locator(".whisper")).toContainText("Hold to whisper");
    // Packets under way may still arrive; after them none.
    await page.waitForTimeout(300);
    const rest = await packets();
    await page.waitForTimeout(600);
    expect(await packets()).toBe(rest);
    await page.keyboard.press("Escape");
    await expect(page.locator(".row[data-active]")).toHaveCount(0);
    await lever(page, "demo", "set", { peer: false });
    await peer.close();
  });
});

test.describe("by the fallback", () => {
  const begin = async (page: Page, port: boolean) => {
    // A node without a UDP port says so at once; with one that nothing reaches, the page finds out after 4 s.
    await lever(page, "demo", "set", { noPort: !port });
    await page.goto(at("demo"));
    await startListening(page);
    await expect(page.locator(".status")).toContainText("WebSocket");
  };
  test.afterEach(async ({ page }) => {
    await page.keyboard.press("Escape");
    await lever(page, "demo", "set", { noPort: false });
  });

  test("sounds, and the abandoned session was closed", async ({ page }) => {
    await begin(page, true);
    const meter = page.getByRole("meter", { name: "Level, Agent" });
    await expect.poll(async () => Number(await meter.getAttribute("aria-valuenow"))).toBeGreaterThan(-30);
    expect((await log(page, "demo")).some((entry) => entry.method === "DELETE")).toBe(true);
  });

  test("whisper renews its lease, shows the level at the agent, and moves nothing else", async ({ page }) => {
    await begin(page, false);
    const boxes = () =>
      page.evaluate(() =>
        [...document.querySelectorAll(".panel button, .panel dl, .panel .strip, .rows")].map((part) => {
          const { x, y, width, height } = part.getBoundingClientRect();
          return [x, y, width, height].map(Math.round).join();
        }),
      );
    const before = await boxes();
    await log(page, "demo");
    await page.locator(".whisper").hover();
    await page.mouse.down();
    await expect(page.locator(".whisper")).toContainText("the customer cannot hear");
    await expect(page.locator(".whisper .received")).toContainText(/−\d+ dB/);
    expect(await boxes()).toEqual(before);
    await page.waitForTimeout(1_000);
    await page.mouse.up();
    await expect(page.locator(".whisper")).toContainText("Hold to whisper");
    const told = await log(page, "demo");
    const keys = told.filter((entry) => entry.type === "key").map((entry) => entry.mode);
    expect(keys.filter((mode) => mode === "whisper").length).toBeGreaterThanOrEqual(3);
    expect(keys.at(-1)).toBe("listen");
    expect(told.filter((entry) => entry.type === "audio").every((entry) => entry.bytes === 168)).toBe(true);
    expect(told.filter((entry) => entry.type === "audio").length).toBeGreaterThan(25);
  });

  test("the window losing focus ends the whisper", async ({ page }) => {
    await begin(page, false);
    await page.keyboard.down("Space");
    await expect(page.locator(".whisper")).toContainText("the customer cannot hear");
    await page.evaluate(() => window.dispatchEvent(new Event("blur")));
    await expect(page.locator(".whisper")).toContainText("Hold to whisper");
    await page.keyboard.up("Space");
  });

  test("barge needs a confirmation, stays open when wanted, and is red", async ({ page }) => {
    await begin(page, false);
    await page.getByRole("button", { name: "Speak to both" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await expect(page.locator(".both")).toHaveCount(0);
    await page.getByRole("button", { name: "Speak to both" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Speak to both" }).click();
    await page.getByRole("button", { name: "Keep open" }).click();
    await expect(page.locator(".both.on")).toContainText("Both hear you");
    await page.getByRole("button", { name: "Stop speaking" }).click();
    await expect(page.locator(".both")).toContainText("Hold to speak to both");
    await page.getByRole("button", { name: "Back to whisper" }).click();
    await expect(page.locator(".both")).toHaveCount(0);
  });

  test("a refusal is shown in words", async ({ page }) => {
    await begin(page, false);
    await page.keyboard.down("Space");
    await expect(page.locator(".whisper")).toContainText("the customer cannot hear");
    await lever(page, "demo", "refuse", { refused: "agent_has_two_lines" });
    await expect(page.locator(".whisper")).toContainText("two calls open");
    await lever(page, "demo", "refuse", { refused: "" });
    await page.keyboard.up("Space");
  });
});

test("the drawer shows levels measured at the phones, only where they are served", async ({ page }) => {
  await page.goto(at("demo"));
  await page.getByRole("button", { name: "What the parties hear" }).click();
  await expect(page.locator(".drawer").locator("tbody tr")).toHaveCount(8);
  await page.goto(at("team"));
  await expect(page.locator(".row").first()).toBeVisible();
  await expect(page.getByRole("button", { name: "What the parties hear" })).toHaveCount(0);
});
