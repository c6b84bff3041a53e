/** The feed's messages as TypeScript types, checked at the socket. The words are those of docs/feed-protocol.md. */
import * as v from "valibot";

const party = v.picklist(["listen", "whisper", "barge"]);
export type Mode = v.InferOutput<typeof party>;

export const MeSchema = v.object({
  user: v.string(),
  name: v.string(),
  role: v.string(),
  rights: v.array(v.string()),
});
export type Me = v.InferOutput<typeof MeSchema>;

export const CallSchema = v.object({
  index: v.number(),
  id: v.string(),
  segment: v.string(),
  node: v.string(),
  bridge: v.string(),
  trunk: v.string(),
  placement: v.string(),
  direction: v.string(),
  state: v.string(),
  hold_by: v.string(),
  agent_id: v.string(),
  agent_name: v.string(),
  agent_number: v.string(),
  team: v.string(),
  team_name: v.string(),
  queue: v.string(),
  queue_name: v.string(),
  customer: v.string(),
  started_at_ms: v.number(),
  answered_at_ms: v.nullable(v.number()),
  state_since_ms: v.number(),
  capabilities: v.array(v.string()),
  refused: v.record(v.string(), v.string()),
  listeners: v.number(),
  modes: v.array(v.string()),
  proof_failures: v.number(),
  agent_leg: v.nullable(v.number()),
  customer_leg: v.nullable(v.number()),
});
export type Call = v.InferOutput<typeof CallSchema>;

/** Places of the figures in a row; the order is the protocol's. */
export const FIG = {
  index: 0,
  silence: 1,
  cause: 2,
  speaking: 3,
  talkover: 4,
  agentTalk: 5,
  customerTalk: 6,
  overlap: 7,
  silenceTotal: 8,
  longestSilence: 9,
  deadAirEvents: 10,
  interruptions: 11,
  hold: 12,
  agentDbfs: 13,
  customerDbfs: 14,
  agentLoss: 15,
  customerLoss: 16,
} as const;
const FIGURES = 17;

export type FiguresRow = readonly [
  index: number,
  silence: number,
  cause: string,
  speaking: number,
  talkover: number,
  agentTalk: number,
  customerTalk: number,
  overlap: number,
  silenceTotal: number,
  longestSilence: number,
  deadAirEvents: number,
  interruptions: number,
  hold: number,
  agentDbfs: number,
  customerDbfs: number,
  agentLoss: number,
  customerLoss: number,
];
/** `[index, party, start_ms, end_ms, open]`; party 0 agent, 1 customer, 2 third, 3 coach, 4 machine. */
export type SpurtRow = readonly [index: number, party: number, start: number, end: number, open: boolean];

// Rows come by the thousand each second, so they are checked by plain loops instead of one schema per cell.
function isFiguresRow(row: unknown): row is FiguresRow {
  if (!Array.isArray(row) || row.length < FIGURES) return false;
  for (let place = 0; place < FIGURES; place++) {
    if (typeof row[place] !== (place === FIG.cause ? "string" : "number")) return false;
  }
  return true;
}

function isSpurtRow(row: unknown): row is SpurtRow {
  if (!Array.isArray(row) || row.length < 5) return false;
  return row.slice(0, 4).every((cell) => typeof cell === "number") && (row[4] === !!row[4] || row[4] === +row[4]);
}

const figures = v.custom<FiguresRow[]>((rows) => Array.isArray(rows) && rows.every(isFiguresRow), "figures row");
const spurts = v.custom<SpurtRow[]>((rows) => Array.isArray(rows) && rows.every(isSpurtRow), "spurt row");

export const AlertSchema = v.object({
  id: v.string(),
  call: v.string(),
  rule: v.string(),
  severity: v.picklist(["warn", "alert", "critical"]),
  state: v.picklist(["raised", "cleared"]),
  raised_at_ms: v.number(),
  since_ms: v.number(),
  value_ms: v.number(),
  cleared_at_ms: v.optional(v.nullable(v.number())),
});
export type Alert = v.InferOutput<typeof AlertSchema>;
export type Severity = Alert["severity"];

export const NodeSchema = v.object({
  node: v.string(),
  calls: v.number(),
  sessions: v.number(),
  bridges: v.array(v.string()),
});
export type Node = v.InferOutput<typeof NodeSchema>;

const SnapshotSchema = v.object({
  type: v.literal("snapshot"),
  n: v.number(),
  now_ms: v.number(),
  me: MeSchema,
  calls: v.array(CallSchema),
  figures,
  spurts,
  alerts: v.array(AlertSchema),
  nodes: v.optional(v.array(NodeSchema), []),
  stale: v.optional(v.array(v.string()), []),
});
export type Snapshot = v.InferOutput<typeof SnapshotSchema>;

const DeltaSchema = v.object({
  type: v.literal("delta"),
  n: v.number(),
  now_ms: v.number(),
  calls: v.optional(v.array(CallSchema)),
  gone: v.optional(v.array(v.string())),
  figures: v.optional(figures),
  spurts: v.optional(spurts),
  alerts: v.optional(v.array(AlertSchema)),
  nodes: v.optional(v.array(NodeSchema)),
  stale: v.optional(v.array(v.string())),
});
export type Delta = v.InferOutput<typeof DeltaSchema>;

const SessionSchema = v.object({
  type: v.literal("session"),
  session: v.string(),
  call: v.string(),
  mode: party,
  state: v.picklist(["connecting", "connected", "closed"]),
  refused: v.optional(v.string(), ""),
  whisper_dbfs: v.optional(v.number(), -96),
  whispered_ms: v.optional(v.number(), 0),
  heard_ms: v.optional(v.number(), 0),
  transport: v.optional(v.string(), "webrtc"),
});
export type SessionState = v.InferOutput<typeof SessionSchema>;

const ByeSchema = v.object({ type: v.literal("bye"), reason: v.string() });
const PongSchema = v.object({ type: v.literal("pong"), now_ms: v.number() });

const MessageSchema = v.variant("type", [SnapshotSchema, DeltaSchema, SessionSchema, ByeSchema, PongSchema]);
export type ServerMessage = v.InferOutput<typeof MessageSchema>;

/** Returns the message, null for a type this page does not know, or the reason why the frame is not one. */
export function parseMessage(text: string): ServerMessage | null | { invalid: string } {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return { invalid: "not JSON" };
  }
  const result = v.safeParse(MessageSchema, data);
  if (result.success) return result.output;
  const type = typeof data === "object" && data !== null && "type" in data ? data.type : undefined;
  // A newer server may send more kinds of messages; they are not errors.
  if (typeof type === "string" && !["snapshot", "delta", "session", "bye", "pong"].includes(type)) return null;
  const issue = result.issues[0];
  return { invalid: `${v.getDotPath(issue) ?? ""} ${issue.message}` };
}
