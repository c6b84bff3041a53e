// Invented audit entries, newest last, in pages of 50.
const KINDS = ["listen.open", "mode.whisper", "mode.listen", "listen.close", "login", "listen.refused", "anchor"];
const USERS = ["sam", "kim", "alex"];
const START = Date.UTC(2026, 10, 22, 8, 0, 0);

const entries = Array.from({ length: 130 }, (_, place) => ({
  writer: place % 7 === 6 ? "web" : "node-0",
  seq: place + 1,
  at: new Date(START + place * 37_123).toISOString(),
  kind: KINDS[place % KINDS.length],
  user: USERS[place % USERS.length],
  call: place % 7 < 4 ? `0192f000-0000-7000-8000-${String(place).padStart(12, "0")}` : "",
  agent: "Anna Berg",
  remote: "192.0.2.14",
  heard_ms: place % 7 === 3 ? 83_400 : undefined,
  reason: place % 7 === 5 ? "out_of_scope" : undefined,
}));

export function auditEntries(words) {
  const user = words.get("user");
  const kind = words.get("kind");
  const after = Number(words.get("after") ?? 0);
  const limit = Number(words.get("limit") ?? 50);
  const found = entries.filter((entry) => (!user || entry.user === user) && (!kind || entry.kind === kind));
  const page = found.slice(after, after + limit);
  return { entries: page, next: after + limit < found.length ? String(after + limit) : null };
}
