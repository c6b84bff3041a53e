/** Clock, formats, lanes, facts, tiles, strings, paths. */
import { describe, expect, test } from "vitest";
import { Board } from "../src/core/board";
import { ServerClock } from "../src/core/clock";
import { durationOf, refusal, runningSilence, searchText } from "../src/core/facts";
import { dbfs, duration, levelOf, meterShare } from "../src/core/format";
import { covered, lanes } from "../src/core/lanes";
import { fallbackAddress, localPath } from "../src/core/paths";
import { fitName, gridFor, PAGE_MS, TILES_A_PAGE, wallPage } from "../src/core/tiles";
import { backOff } from "../src/core/timers";
import { parseMessage } from "../src/core/wire";
import { pseudo, t, tn, told } from "../src/strings";
import { en } from "../src/strings/en";
import { aCall, figuresRow, spurtRow } from "./support";

const live = (view = aCall(0), silence = 0) => ({
  view,
  figures: figuresRow(0, silence),
  figuresAt: 2_000_000,
  spurts: [],
  alerts: [],
  holds: [],
});

describe("clock", () => {
  test("believes the message with the least delay", () => {
    const clock = new ServerClock();
    clock.observe(10_000, 500);
    clock.observe(11_000, 1_800);
    expect(clock.at(2_000)).toBe(11_500);
  });

  test("forgets old messages, so that a drift is followed", () => {
    const clock = new ServerClock();
    clock.observe(10_000, 0);
    for (let second = 1; second <= 60; second++) clock.observe(9_000 + second * 1_000, second * 1_000);
    expect(clock.at(0)).toBe(9_000);
    clock.reset();
    expect(clock.known).toBe(false);
  });
});

describe("formats", () => {
  test.each([
    [-5, "0:00"],
    [7_999, "0:07"],
    [723_000, "12:03"],
    [3_723_000, "1:02:03"],
  ])("%i ms is %s", (ms, text) => expect(duration(ms)).toBe(text));

  test.each([
    [-96, "\u2013"],
    [-31.4, "\u221231"],
    [-0.2, "0"],
  ])("%f dB is %s", (value, text) => expect(dbfs(value).replace("-0", "0")).toBe(text));

  test("a full-scale square wave is 0 dB and fills the meter", () => {
    expect(levelOf(new Float32Array(64).fill(1))).toBe(0);
    expect(levelOf(new Float32Array(64))).toBe(-96);
    expect([meterShare(0), meterShare(-30), meterShare(-96)]).toEqual([1, 0.5, 0]);
  });

  test("waits grow, with chance, to a limit", () => {
    expect([0, 1, 9].map((attempt) => backOff(attempt, 100, 1_000, () => 1))).toEqual([100, 200, 1_000]);
    expect(backOff(0, 100, 1_000, () => 0)).toBe(50);
  });
});

describe("lanes", () => {
  const now = 1_100_000;
  const call = (spurts: ReturnType<typeof spurtRow>[], more = {}) => ({
    ...live(aCall(0, { started_at_ms: 1_000_000, answered_at_ms: 1_000_000, ...more })),
    spurts,
  });

  test("puts speech of the last minute in its place", () => {
    const drawing = lanes(
      call([spurtRow(0, 0, 10_000, 20_000), spurtRow(0, 0, 70_000, 85_000), spurtRow(0, 1, 85_000, 100_000)]),
      now,
    );
    expect(drawing.agent).toEqual([[0.5, 0.75]]);
    expect(drawing.customer).toEqual([[0.75, 1]]);
    expect(covered(drawing.agent)).toBe(25);
  });

  test("an open spurt goes on for three seconds after its last update, then it is not known to", () => {
    const fresh = lanes(call([spurtRow(0, 1, 90_000, 98_000, true)]), now);
    expect(fresh.customer[0]?.[1]).toBe(1);
    const old = lanes(call([spurtRow(0, 1, 50_000, 52_000, true)]), now);
    expect(old.customer).toEqual([[10 / 60, 15 / 60]]);
  });

  test("shows silences of three seconds and more, not pauses, and none before the answer", () => {
    const spurts = [spurtRow(0, 0, 60_000, 70_000), spurtRow(0, 1, 72_000, 80_000)];
    const drawing = lanes(call(spurts, { answered_at_ms: 1_058_000 }), now);
    expect(drawing.silences).toEqual([[40 / 60, 1]]);
  });

  test("hold is hold, not silence", () => {
    const held = { state: "hold", state_since_ms: 1_080_000 };
    const drawing = lanes(call([spurtRow(0, 0, 30_000, 79_000)], held), now);
    expect(drawing.holds).toEqual([[40 / 60, 1]]);
    expect(drawing.silences).toEqual([]);
  });

  test("a hold that is over stays a hold", () => {
    const holds = [[1_060_000, 1_090_000] as const];
    const drawing = lanes({ ...call([spurtRow(0, 0, 30_000, 59_000), spurtRow(0, 0, 91_000, 100_000)]), holds }, now);
    expect(drawing.holds).toEqual([[20 / 60, 50 / 60]]);
    expect(drawing.silences).toEqual([]);
  });

  test("overlap is shown over half a second", () => {
    const short = lanes(call([spurtRow(0, 0, 80_000, 90_000), spurtRow(0, 1, 85_000, 85_400)]), now);
    const long = lanes(call([spurtRow(0, 0, 80_000, 90_000), spurtRow(0, 1, 85_000, 88_000)]), now);
    expect(short.overlaps).toEqual([]);
    expect(long.overlaps).toEqual([[45 / 60, 48 / 60]]);
  });
});

describe("facts", () => {
  const me = { user: "", name: "", role: "", rights: ["listen", "whisper"] };

  test("silence counts on, speech does not", () => {
    expect(runningSilence(live(aCall(0), 4_000), 2_001_500)).toBe(5_500);
    expect(runningSilence(live(aCall(0), 0), 2_001_500)).toBe(0);
  });

  test("a call lasts from the answer, a ringing one from the start", () => {
    expect(durationOf(live(), 1_006_000)).toBe(1_000);
    expect(durationOf(live(aCall(0, { answered_at_ms: null })), 1_006_000)).toBe(6_000);
  });

  test("says the nearest reason why something cannot be done", () => {
    expect(refusal(aCall(0), me, "listen")).toBe("");
    expect(refusal(aCall(0), me, "barge")).toBe("no_right");
    expect(refusal(aCall(0), null, "listen")).toBe("no_right");
    expect(refusal(undefined, me, "listen")).toBe("call_gone");
    expect(refusal(aCall(0, { refused: { whisper: "agent_holds" } }), me, "whisper")).toBe("agent_holds");
    expect(refusal(aCall(0, { capabilities: ["listen"], placement: "trunk" }), me, "whisper")).toBe("trunk_side");
    expect(refusal(aCall(0, { capabilities: [] }), me, "listen")).toBe("no_media");
  });

  test("the filter sees agent, number, queue, team and customer", () => {
    expect(searchText(aCall(3))).toBe("agent 3 103 queue team +44 20 7946 0000");
  });
});

describe("wallboard", () => {
  test("every count up to a page has room, and few tiles are larger", () => {
    for (let tiles = 1; tiles <= TILES_A_PAGE; tiles++) {
      const { columns, rows } = gridFor(tiles);
      expect(columns * rows).toBeGreaterThanOrEqual(tiles);
      expect(columns).toBeLessThanOrEqual(3);
      expect(rows).toBeLessThanOrEqual(4);
    }
  });

  test("pages take turns and lose nobody", () => {
    const ids = Array.from({ length: 30 }, (_, place) => `c${place}`);
    const pages = [0, 1, 2].map((turn) => wallPage(ids, turn * PAGE_MS));
    expect(pages.flatMap((page) => page.ids)).toEqual(ids);
    expect(pages.map((page) => [page.page, page.pages])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
    expect(wallPage(ids, 3 * PAGE_MS).page).toBe(1);
    expect(wallPage([], 0)).toEqual({ ids: [], page: 1, pages: 1 });
  });

  test("names get shorter, never cut in the middle if it can be helped", () => {
    const fits = (most: number) => (text: string) => text.length <= most;
    expect(fitName("Magdalena Kowalczyk", fits(30))).toBe("Magdalena Kowalczyk");
    expect(fitName("Magdalena Kowalczyk", fits(12))).toBe("Magdalena K.");
    expect(fitName("Magdalena Kowalczyk", fits(10))).toBe("Magdalena");
    expect(fitName("Magdalena Kowalczyk", fits(3))).toBe("Magdalena");
    expect(fitName("Agent 1200", fits(3))).toBe("Agent");
    expect(fitName("", fits(3))).toBe("");
  });
});

describe("strings", () => {
  test("parameters are filled in, plurals chosen", () => {
    expect(t("whisper.on", { agent: "Anna" })).toBe("Speaking to Anna: the customer cannot hear");
    expect([tn("calls.count", 1), tn("calls.count", 2)]).toEqual(["1 call", "2 calls"]);
  });

  test("reasons of a newer server are shown, not hidden", () => {
    expect(told("reason", "moon_phase")).toBe("Refused: moon_phase");
    expect(told("cause", "unexplained")).toBe("");
    expect(told("rule", "monologue")).toBe("monologue");
  });

  test("the pseudo-language is 40 % longer and keeps the parameters", () => {
    for (const text of Object.values(en).filter(Boolean)) {
      const long = pseudo(text);
      const bare = text.replace(/\{\w+\}/g, "").length;
      expect(long.length - text.length).toBeGreaterThanOrEqual(Math.floor(bare * 0.4) - 1);
      expect(long.match(/\{\w+\}/g)).toEqual(text.match(/\{\w+\}/g));
    }
  });
});

describe("paths", () => {
  test.each([
    ["/audit?user=sam", "/audit?user=sam"],
    [null, "/"],
    ["https://evil.example/", "/"],
    ["//evil.example/", "/"],
    ["/\\evil.example", "/"],
    ["javascript:alert(1)", "/"],
  ])("%s leads to %s", (wanted, path) => expect(localPath(wanted)).toBe(path));
});

describe("address of the fallback", () => {
  const page = { protocol: "https:", hostname: "mon.example", href: "https://mon.example/" };
  test.each([
    [":7443/listen", "wss://mon.example:7443/listen"],
    ["/api/listen", "wss://mon.example/api/listen"],
    ["ws://127.0.0.1:9/listen", "ws://127.0.0.1:9/listen"],
  ])("%s is %s", (url, address) => expect(fallbackAddress(url, page)).toBe(address));
});

describe("wire", () => {
  test("a snapshot without nodes and stale list is whole", () => {
    const text = JSON.stringify({
      type: "snapshot",
      n: 1,
      now_ms: 2,
      me: { user: "", name: "", role: "", rights: [] },
      calls: [aCall(0)],
      figures: [figuresRow(0)],
      spurts: [spurtRow(0, 0, 1, 2, true)],
      alerts: [],
    });
    expect(parseMessage(text)).toMatchObject({ type: "snapshot", nodes: [], stale: [] });
  });

  test("members this page does not know do no harm", () => {
    const board = new Board();
    const message = parseMessage(
      JSON.stringify({ type: "delta", n: 2, now_ms: 1, calls: [{ ...aCall(0), mood: "good" }], extra: 1 }),
    );
    expect(message).toMatchObject({ type: "delta" });
    if (message && "type" in message && message.type === "delta") board.applyDelta(message);
    expect(board.calls.size).toBe(1);
  });
});
