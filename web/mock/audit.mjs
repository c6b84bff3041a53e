// Invented audit entries, with the members a real node and a real web process write.
const USERS = [
  ["user-sam", "Sam Taylor"],
  ["user-kim", "Kim Park"],
  ["user-alex", "Alex Novak"],
];
const START = Date.UTC(2026, 10, 22, 8, 0, 0);
const MAKERS = [
  () => ["listen.start", { mode: "listen", reason: "" }],
  () => ["listen.mode", { mode: "whisper", previous: "listen" }],
  () => ["call.origin", { bridge: "b1", leg: 1, origin: "whisper", start_ns: 5e12, end_ns: 5.0042e12, grant: 7 }],
  () => ["listen.mode", { mode: "listen", previous: "whisper", seconds: 4.204119977000155, reason: "key_up" }],
  () => [
    "listen.hop",
    { left_call: "0192f000-0000-7000-8000-000000000001", heard_s: 83.4, whispered_s: 4.2, reason: "" },
  ],
  () => ["listen.stop", { heard_s: 83.4, whispered_s: 4.2, reason: "closed_by_user" }],
  () => ["listen.denied", { mode: "listen", reason: "not_in_scope" }],
  () => ["login", { how: "password" }],
  () => ["anchor", { heads: { "node-0": { seq: 10, hash: "46c65f81".repeat(8) } } }],
];

const entries = Array.from({ length: 180 }, (_, place) => {
  const [kind, more] = MAKERS[place % MAKERS.length]();
  const [user, name] = USERS[place % USERS.length];
  const listens = kind.startsWith("listen.");
  const call = { call: `0192f000-0000-7000-8000-${String(place).padStart(12, "0")}`, segment: `s${place}` };
  return {
    writer: kind === "login" || kind === "anchor" ? "web" : "node-0",
    seq: place + 1,
    at_ms: START + place * 37_123,
    kind,
    fields: {
      ...(listens || kind === "call.origin" ? call : {}),
      ...(listens ? { user, role: "supervisor", agent: "a1", team: "t1", queue: "q1", remote: "192.0.2.14" } : {}),
      ...(listens ? { session: "af07d6cf8bcc578a43dc59e9" } : {}),
      ...(kind === "login" ? { user, name, remote: "192.0.2.14" } : {}),
      ...more,
    },
    hash: "0".repeat(64),
    user_name: listens || kind === "login" ? name : "",
    agent_name: listens ? "Anna Berg" : "",
    queue_name: listens ? "Billing" : "",
  };
}).reverse();

/** Newest first; `next` is the `before` of the next page, or "". */
export function auditEntries(words) {
  const user = words.get("user")?.toLowerCase();
  const kind = words.get("kind");
  const call = words.get("call");
  const from = Number(words.get("before") || 0);
  const limit = Number(words.get("limit") ?? 50);
  const found = entries.filter(
    (entry) =>
      (!user || entry.user_name.toLowerCase().includes(user)) &&
      (!kind || (kind.endsWith(".") ? entry.kind.startsWith(kind) : entry.kind === kind)) &&
      (!call || entry.fields.call === call) &&
      (!words.get("from_ms") || entry.at_ms >= Number(words.get("from_ms"))) &&
      (!words.get("to_ms") || entry.at_ms < Number(words.get("to_ms"))),
  );
  return { entries: found.slice(from, from + limit), next: from + limit < found.length ? String(from + limit) : "" };
}
