/** 500 calls at 1 Hz: at most 4 ms script per 100 calls and second, no task over 50 ms. */
import { at, expect, test } from "./support";

const SECONDS = 3;
/** A machine with other work can only make it look slower, so the best of several looks is nearest to the truth. */
const LOOKS = 4;
const MOST_MS = 4;

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** Processor time of the thread in microseconds. */
  tdur?: number;
  args: { name?: string };
}

/** Milliseconds of every task of pages' main threads. */
function tasksOf(events: readonly TraceEvent[]): number[] {
  const thread = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
  const main = new Set(
    events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(thread),
  );
  return events
    .filter((event) => event.name === "ThreadControllerImpl::RunTask" && main.has(thread(event)))
    .map(({ tdur = 0 }) => tdur / 1_000);
}

// All times are of the processor, not of the clock: what other programs of the machine do meanwhile is not in them.
test("500 calls", async ({ page, browser }) => {
  await page.goto(at("large"));
  await expect(page.locator(".row").first()).toBeVisible();
  await page.waitForTimeout(2_000);
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.setTimeDomain", { timeDomain: "threadTicks" });
  await client.send("Performance.enable");
  const script = async () => {
    const { metrics } = await client.send("Performance.getMetrics");
    return 1_000 * (metrics.find(({ name }) => name === "ScriptDuration")?.value ?? Number.NaN);
  };
  let best = Number.POSITIVE_INFINITY;
  for (let look = 0; look < LOOKS && best > MOST_MS; look++) {
    const before = await script();
    await page.waitForTimeout(SECONDS * 1_000);
    best = Math.min(best, ((await script()) - before) / SECONDS / 5);
  }
  // Tracing costs time itself, so it comes after.
  await browser.startTracing(page, { categories: ["toplevel", "__metadata"] });
  await page.waitForTimeout(SECONDS * 1_000);
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const tasks = tasksOf(traceEvents).sort((a, b) => b - a);
  const all = tasks.reduce((sum, task) => sum + task, 0) / SECONDS;
  console.log(
    `script ${best.toFixed(2)} ms a second per 100 calls, ` +
      `all tasks ${all.toFixed(1)} ms a second, longest ${tasks[0]?.toFixed(1)} ms`,
  );
  // Without figures there is nothing to compare: the page has worked, so both must be there.
  expect(best).toBeGreaterThan(0);
  expect(all).toBeGreaterThan(0);
  expect(best).toBeLessThanOrEqual(MOST_MS);
  expect(tasks[0]).toBeLessThanOrEqual(50);
});
