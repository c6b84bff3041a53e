/** Audit entries taken apart. */
import { expect, test } from "vitest";
import type { AuditEntry } from "../src/core/api";
import { dayStart, KINDS, members, toldBy } from "../src/core/trail";
import { en } from "../src/strings/en";

function entry(kind: string, fields: Record<string, unknown>): AuditEntry {
  return { writer: "node-0", seq: 1, at_ms: 0, kind, fields, hash: "", user_name: "", agent_name: "", queue_name: "" };
}

test.each([
  ["listen.start", { mode: "listen", reason: "" }, "listen.start", "", null, null],
  ["listen.mode", { mode: "whisper", previous: "listen" }, "listen.mode.whisper", "", null, null],
  [
    "listen.mode",
    { mode: "listen", previous: "barge", seconds: 3.77, reason: "key_up" },
    "listen.mode.barge.end",
    "key_up",
    null,
    3770,
  ],
  [
    "listen.stop",
    { heard_s: 22.8, whispered_s: 8.3, reason: "browser_closed" },
    "listen.stop",
    "browser_closed",
    22800,
    8300,
  ],
  ["call.origin", { origin: "barge", start_ns: 5e12 }, "call.origin.barge", "", null, null],
  ["call.origin", { origin: "whisper", start_ns: 5e12, end_ns: 5.0025e12 }, "call.origin.whisper.end", "", null, 2500],
  ["login", { user: "u" }, "login", "", null, null],
])("%s %j", (kind, fields, act, reason, heardMs, spokenMs) => {
  const says = toldBy(entry(kind, fields));
  expect(says).toMatchObject({ act, reason, heardMs });
  if (spokenMs === null) expect(says.spokenMs).toBeNull();
  else expect(says.spokenMs).toBeCloseTo(spokenMs);
  expect(en).toHaveProperty([`act.${act}`]);
});

test("the figures of a hop belong to the call it has left", () => {
  const says = toldBy(entry("listen.hop", { heard_s: 10, whispered_s: 4 }));
  expect(says).toMatchObject({ act: "listen.hop", heardMs: null, spokenMs: null, leftMs: 10_000 });
});

test("every choice of kinds has a name", () => {
  for (const kind of KINDS) expect(en).toHaveProperty([`kind.${kind}`]);
});

test("members are shown as written, without the empty ones", () => {
  const heads = { web: { seq: 3 } };
  expect(members(entry("anchor", { heads, note: "", gone: null, count: 0 }))).toEqual([
    ["heads", '{"web":{"seq":3}}'],
    ["count", "0"],
  ]);
});

test("a day begins at the reader's own midnight", () => {
  expect(dayStart("2026-11-22")).toBe(new Date(2026, 10, 22).getTime());
  expect(dayStart("2026-11-30", 1)).toBe(new Date(2026, 11, 1).getTime());
  expect(dayStart("")).toBeNull();
});
