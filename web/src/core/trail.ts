/** What an audit entry says, taken apart for a reader. No framework, no texts. */
import type { AuditEntry } from "./api";

/** The choices of the list; with a dot at the end all kinds that begin so. */
export const KINDS = [
  "listen.",
  "call.",
  "denied",
  "login",
  "login.failed",
  "logout",
  "user.",
  "audit.verified",
  "journal.recovered",
  "anchor",
] as const;

export interface Told {
  /** Id of the sentence that says what was done: a kind, with the mode where one kind means several things. */
  act: string;
  /** Why it was refused or ended, a reason id or "". */
  reason: string;
  heardMs: number | null;
  spokenMs: number | null;
  /** How long the call was heard that a hop has left; the entry itself is about the new one. */
  leftMs: number | null;
}

function word(entry: AuditEntry, member: string): string {
  const value = entry.fields[member];
  return typeof value === "string" ? value : "";
}

function ms(entry: AuditEntry, member: string, unitMs: number): number | null {
  const value = entry.fields[member];
  return typeof value === "number" ? value * unitMs : null;
}

/** `listen.mode` names the mode that begins, `call.origin` the origin that begins or, with an end, is over. */
function act(entry: AuditEntry): string {
  const { kind } = entry;
  if (kind === "listen.mode") {
    const mode = word(entry, "mode");
    return mode === "listen" ? `${kind}.${word(entry, "previous")}.end` : `${kind}.${mode}`;
  }
  if (kind === "call.origin") {
    const origin = word(entry, "origin");
    return entry.fields.end_ns == null ? `${kind}.${origin}` : `${kind}.${origin}.end`;
  }
  return kind;
}

/** Nanoseconds of the bridge's clock as ms. */
function between(entry: AuditEntry): number | null {
  const start = ms(entry, "start_ns", 1e-6);
  const end = ms(entry, "end_ns", 1e-6);
  return start === null || end === null ? null : end - start;
}

export function toldBy(entry: AuditEntry): Told {
  const heard = ms(entry, "heard_s", 1000);
  const spoken = ms(entry, "whispered_s", 1000) ?? ms(entry, "seconds", 1000) ?? between(entry);
  const hop = entry.kind === "listen.hop";
  return {
    act: act(entry),
    reason: word(entry, "reason"),
    heardMs: hop ? null : heard,
    spokenMs: hop ? null : spoken,
    leftMs: hop ? heard : null,
  };
}

/** Every member as it was written, for whoever checks the entry itself. */
export function members(entry: AuditEntry): readonly (readonly [name: string, value: string])[] {
  const shown = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return Object.entries(entry.fields)
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => [name, shown(value)] as const);
}

/** First ms of a day as a date field gives it ("2026-11-22"), in the reader's time zone; null for none. */
export function dayStart(day: string, plusDays = 0): number | null {
  const [year, month, date] = day.split("-").map(Number);
  return year && month && date ? new Date(year, month - 1, date + plusDays).getTime() : null;
}
