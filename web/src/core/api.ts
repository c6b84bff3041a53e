/** The server's HTTP calls; every refusal becomes an `ApiError` with a stable id. */
import * as v from "valibot";
import { SignedOut } from "./feed";
import { MeSchema, type Mode } from "./wire";

/** The server said no, or could not be reached (`id` is then `unreachable`). */
export class ApiError extends Error {
  constructor(
    readonly id: string,
    text: string,
    readonly status: number,
  ) {
    super(text);
  }
}

const ErrorSchema = v.object({ error: v.object({ id: v.string(), text: v.optional(v.string(), "") }) });
const TicketAnswer = v.object({ ticket: v.string() });
const FallbackAnswer = v.object({ session: v.string(), fallback_url: v.string(), fallback_ticket: v.string() });
const EntrySchema = v.looseObject({
  writer: v.string(),
  seq: v.number(),
  at_ms: v.number(),
  kind: v.string(),
  fields: v.record(v.string(), v.unknown()),
  hash: v.optional(v.string(), ""),
  user_name: v.optional(v.string(), ""),
  agent_name: v.optional(v.string(), ""),
  queue_name: v.optional(v.string(), ""),
});
const AuditAnswer = v.object({
  entries: v.array(EntrySchema),
  /** The `before` of the next page, or "". */
  next: v.string(),
});
const ProblemSchema = v.object({ journal: v.string(), line: v.number(), id: v.string(), text: v.string() });
const VerifyAnswer = v.object({ ok: v.boolean(), problems: v.array(ProblemSchema) });
const PhoneSchema = v.object({
  agent: v.string(),
  customer: v.string(),
  agent_hears_dbfs: v.number(),
  customer_hears_dbfs: v.number(),
  whisper_found: v.boolean(),
});
const HeardAnswer = v.object({ phones: v.array(PhoneSchema) });

const Description = v.object({ paths: v.record(v.string(), v.unknown()) });

export type AuditEntry = v.InferOutput<typeof EntrySchema>;
export type AuditPage = v.InferOutput<typeof AuditAnswer>;
export type Verification = v.InferOutput<typeof VerifyAnswer>;
export type HeardPhone = v.InferOutput<typeof PhoneSchema>;

export interface AuditQuery {
  before?: string;
  limit?: number;
  user?: string;
  kind?: string;
  call?: string;
  from_ms?: number | null;
  to_ms?: number | null;
}

export interface Opened {
  session: string;
  answer: string;
}
export interface OpenedFallback {
  session: string;
  url: string;
  ticket: string;
}

async function request(method: string, path: string, body?: string, type = "application/json"): Promise<Response> {
  let response: Response;
  const init: RequestInit = { method, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) Object.assign(init, { body, headers: { "content-type": type } });
  try {
    response = await fetch(path, init);
  } catch {
    throw new ApiError("unreachable", "", 0);
  }
  if (response.ok) return response;
  const told = v.safeParse(ErrorSchema, await response.json().catch(() => null));
  if (told.success) throw new ApiError(told.output.error.id, told.output.error.text, response.status);
  throw new ApiError(response.status === 401 ? "signed_out" : "server_error", "", response.status);
}

async function json<S extends v.GenericSchema>(schema: S, answer: Promise<Response>): Promise<v.InferOutput<S>> {
  const response = await answer;
  const result = v.safeParse(schema, await response.json().catch(() => null));
  if (!result.success) throw new ApiError("bad_answer", result.issues[0].message, response.status);
  return result.output;
}

const post = (path: string, body?: object) => request("POST", path, body && JSON.stringify(body));
const part = encodeURIComponent;

export const api = {
  login: (login: string, password: string) => json(MeSchema, post("/api/login", { login, password })),
  logout: () => post("/api/logout"),
  me: () => json(MeSchema, request("GET", "/api/me")),
  setup: (token: string, login: string, name: string, password: string) =>
    post("/api/setup", { token, login, name, password }),

  async ticket(): Promise<string> {
    try {
      return (await json(TicketAnswer, post("/api/ticket"))).ticket;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) throw new SignedOut();
      throw error;
    }
  },

  async listen(call: string, sdp: string): Promise<Opened> {
    const response = await request("POST", `/api/calls/${part(call)}/listen`, sdp, "application/sdp");
    const fromLocation = response.headers.get("location")?.split("/").pop() ?? "";
    return { session: response.headers.get("x-livemon-session") ?? fromLocation, answer: await response.text() };
  },
  async listenByWebSocket(call: string): Promise<OpenedFallback> {
    const answer = await json(FallbackAnswer, post(`/api/calls/${part(call)}/listen`, { transport: "websocket" }));
    return { session: answer.session, url: answer.fallback_url, ticket: answer.fallback_ticket };
  },
  mode: (session: string, mode: Mode) => post(`/api/sessions/${part(session)}/mode`, { mode }),
  hop: (session: string, call: string) => post(`/api/sessions/${part(session)}/hop`, { call }),
  close: (session: string) => request("DELETE", `/api/sessions/${part(session)}`),
  /** For a page that is going away: the request outlives it. */
  closeOnExit(session: string): void {
    void fetch(`/api/sessions/${part(session)}`, {
      method: "DELETE",
      keepalive: true,
      credentials: "same-origin",
    }).catch(() => undefined);
  },

  audit(query: AuditQuery): Promise<AuditPage> {
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value) words.set(name, String(value));
    return json(AuditAnswer, request("GET", `/api/audit?${words}`));
  },
  verify: () => json(VerifyAnswer, request("GET", "/api/audit/verify")),
  /** Only the demo serves this; asked of the description, because a path that is not there is an error in the console. */
  async hasHeard(): Promise<boolean> {
    return "/demo/heard" in (await json(Description, request("GET", "/api/openapi.json"))).paths;
  },
  heard: async () => (await json(HeardAnswer, request("GET", "/demo/heard"))).phones,
};
