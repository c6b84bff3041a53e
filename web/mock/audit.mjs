// Invented audit entries.
const KINDS = ["listen.start", "listen.mode", "listen.hop", "listen.stop", "login.done", "listen.denied", "anchor"];
const USERS = ["sam", "kim", "alex"];
const START = Date.UTC(2026, 10, 22, 8, 0, 0);

const entries = Array.from({ length: 130 }, (_, place) => ({
  writer: place % 7 === 6 ? "web" : "node-0",
  seq: place + 1,
  at_ms: START + place * 37_123,
  kind: KINDS[place % KINDS.length],
  fields: {
    user: USERS[place % USERS.length],
    ...(place % 7 < 4
      ? { call: `0192f000-0000-7000-8000-${String(place).padStart(12, "0")}`, agent: "Anna Berg" }
      : {}),
    remote: "192.0.2.14",
    ...(place % 7 === 3 ? { heard_s: 83.4, whispered_s: 4.2 } : {}),
    ...(place % 7 === 5 ? { reason: "not_in_scope" } : {}),
  },
  hash: "0".repeat(64),
})).reverse();

/** Newest first; `next` is the `before` of the next page, or "". */
export function auditEntries(words) {
  const user = words.get("user");
  const kind = words.get("kind");
  const from = Number(words.get("before") || 0);
  const limit = Number(words.get("limit") ?? 50);
  const found = entries.filter((entry) => (!user || entry.fields.user === user) && (!kind || entry.kind === kind));
  return { entries: found.slice(from, from + limit), next: from + limit < found.length ? String(from + limit) : "" };
}
