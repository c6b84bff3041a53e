/** 500 calls at 1 Hz: at most 4 ms script per 100 calls and second, no task over 50 ms. */
import { at, expect, test } from "./support";

const SECONDS = 8;

test("500 calls", async ({ page }) => {
  await page.goto(at("large"));
  await expect(page.locator(".row").first()).toBeVisible();
  await page.waitForTimeout(2_000);
  await page.evaluate(() => {
    const tasks: number[] = [];
    Object.assign(window, { tasks });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) tasks.push(entry.duration);
    }).observe({ entryTypes: ["longtask"] });
  });
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable");
  const metrics = async () => {
    const { metrics: list } = await client.send("Performance.getMetrics");
    return new Map(list.map(({ name, value }) => [name, value]));
  };
  const before = await metrics();
  await page.waitForTimeout(SECONDS * 1_000);
  const after = await metrics();
  const perSecond = (name: string) => (1_000 * ((after.get(name) ?? 0) - (before.get(name) ?? 0))) / SECONDS;
  const tasks = await page.evaluate(() => (window as unknown as { tasks: number[] }).tasks);
  const script = perSecond("ScriptDuration");
  console.log(
    `script ${script.toFixed(1)} ms/s (${(script / 5).toFixed(2)} per 100 calls), style ${perSecond("RecalcStyleDuration").toFixed(1)}, ` +
      `layout ${perSecond("LayoutDuration").toFixed(1)}, all tasks ${perSecond("TaskDuration").toFixed(1)}, long tasks ${tasks.map(Math.round).join(" ") || "none"}`,
  );
  expect(script / 5).toBeLessThanOrEqual(4);
  expect(tasks).toEqual([]);
});
