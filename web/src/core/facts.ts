/** Small truths about a call that several pages show the same way. */
import type { LiveCall } from "./board";
import { type Call, FIG, type Me } from "./wire";

/** Length of the running silence in ms at server time `now`; 0 while somebody speaks. */
export function runningSilence(call: LiveCall, now: number): number {
  const silence = call.figures?.[FIG.silence] ?? 0;
  return silence > 0 ? silence + Math.max(0, now - call.figuresAt) : 0;
}

/** Since when the call lasts, from the answer; ringing counts from the start. */
export function durationOf(call: LiveCall, now: number): number {
  return now - (call.view.answered_at_ms ?? call.view.started_at_ms);
}

/** "" if `me` may do `capability` with the call now, else the reason id. */
export function refusal(call: Call | undefined, me: Me | null, capability: "listen" | "whisper" | "barge"): string {
  if (!me?.rights.includes(capability)) return "no_right";
  if (!call) return "call_gone";
  const refused = call.refused[capability];
  if (refused) return refused;
  if (call.capabilities.includes(capability)) return "";
  return call.placement === "trunk" && capability !== "listen" ? "trunk_side" : "no_media";
}

/** What the filter looks at, in lower case. */
export function searchText(call: Call): string {
  return `${call.agent_name} ${call.agent_number} ${call.queue_name} ${call.team_name} ${call.customer}`.toLowerCase();
}
