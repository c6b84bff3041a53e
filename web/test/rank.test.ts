/** Rows stand worst first, and do not jump. */
import { describe, expect, test } from "vitest";
import { Board } from "../src/core/board";
import { Ranking } from "../src/core/rank";
import type { Alert } from "../src/core/wire";
import { aCall, anAlert } from "./support";

function boardOf(count: number): Board {
  const board = new Board();
  const me = { user: "", name: "", role: "", rights: [] };
  const calls = Array.from({ length: count }, (_, index) => aCall(index));
  board.applySnapshot({
    type: "snapshot",
    n: 1,
    now_ms: 0,
    me,
    calls,
    figures: [],
    spurts: [],
    alerts: [],
    nodes: [],
    stale: [],
  });
  return board;
}

let n = 1;
const tell = (board: Board, ...alerts: Alert[]) => board.applyDelta({ type: "delta", n: ++n, now_ms: 0, alerts });
const names = (ids: readonly string[]) => ids.map((id) => id.replace("call-", "")).join(" ");

describe("ranking", () => {
  test("puts the worst first, and the longest running first among equals", () => {
    const board = boardOf(4);
    tell(board, anAlert("call-1", "warn", 50), anAlert("call-2", "critical", 90), anAlert("call-3", "critical", 80));
    expect(names(new Ranking().order(board.calls, 0))).toBe("3 2 1 0");
  });

  test("moves rows at most once a second", () => {
    const board = boardOf(3);
    const ranking = new Ranking();
    ranking.order(board.calls, 0);
    tell(board, anAlert("call-2", "alert", 5));
    expect(names(ranking.order(board.calls, 999))).toBe("0 1 2");
    expect(names(ranking.order(board.calls, 1_000))).toBe("2 0 1");
  });

  test("moves nothing while held, adds what comes at the end and drops what went", () => {
    const board = boardOf(3);
    const ranking = new Ranking();
    ranking.order(board.calls, 0);
    ranking.hold(true);
    tell(board, anAlert("call-2", "critical", 5));
    board.applyDelta({ type: "delta", n: 9, now_ms: 0, gone: ["call-0"], calls: [aCall(7)] });
    expect(names(ranking.order(board.calls, 60_000))).toBe("1 2 7");
    ranking.hold(false);
    expect(names(ranking.order(board.calls, 61_000))).toBe("2 1 7");
  });

  test("keeps a call that got better in its place for five seconds", () => {
    const board = boardOf(3);
    const ranking = new Ranking();
    const alert = anAlert("call-2", "alert", 5);
    tell(board, alert);
    expect(names(ranking.order(board.calls, 0))).toBe("2 0 1");
    tell(board, { ...alert, state: "cleared" });
    expect(names(ranking.order(board.calls, 1_000))).toBe("2 0 1");
    expect(names(ranking.order(board.calls, 5_999))).toBe("2 0 1");
    expect(names(ranking.order(board.calls, 7_000))).toBe("0 1 2");
  });

  test("a flicker starts the five seconds again", () => {
    const board = boardOf(2);
    const ranking = new Ranking();
    const alert = anAlert("call-1", "alert", 5);
    tell(board, alert);
    ranking.order(board.calls, 0);
    tell(board, { ...alert, state: "cleared" });
    ranking.order(board.calls, 2_000);
    tell(board, alert);
    ranking.order(board.calls, 4_000);
    tell(board, { ...alert, state: "cleared" });
    ranking.order(board.calls, 6_000);
    expect(names(ranking.order(board.calls, 10_000))).toBe("1 0");
    expect(names(ranking.order(board.calls, 11_000))).toBe("0 1");
  });

  test("returns the same list while nothing moves, so that nothing is drawn", () => {
    const board = boardOf(3);
    const ranking = new Ranking();
    expect(ranking.order(board.calls, 0)).toBe(ranking.order(board.calls, 5_000));
  });
});
