// A stand-in for the server, for development and page tests only: pages, API, feed and fallback audio of one invented world.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";
import { auditEntries } from "./audit.mjs";
import { World } from "./world.mjs";

const PAGES = join(import.meta.dirname, "../../livemon/pages");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".woff2": "font/woff2",
  ".svg": "image/svg+xml",
};
const NAMED = { "/": "index", "/wallboard": "wallboard", "/audit": "audit", "/login": "login", "/setup": "setup" };
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "media-src 'self' blob:",
  "worker-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");
const ME = {
  user: "sam",
  name: "Sam Taylor",
  role: "supervisor",
  rights: ["listen", "whisper", "barge", "view", "audit"],
};

function mulaw(sample) {
  const value = Math.round(sample * 32767);
  const magnitude = Math.min(Math.abs(value), 32635) + 0x84;
  const exponent = 24 - Math.clz32(magnitude);
  return ~((value < 0 ? 0x80 : 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 255;
}

/** An answer in the right form that no one is behind: connecting with it fails, as where UDP is blocked. */
function deafAnswer(offer) {
  return offer
    .replace(/a=setup:actpass/g, "a=setup:active")
    .replace(/a=sendrecv/g, "a=sendRECV")
    .replace(/a=recvonly/g, "a=sendonly")
    .replace(/a=sendRECV/g, "a=sendrecv")
    .replace(/a=candidate:[^\r]*\r\n/g, "")
    .replace(/a=(ssrc|msid|ice-options)[^\r]*\r\n/g, "")
    .replace(/a=ice-ufrag:[^\r\n]*/g, "a=ice-ufrag:nobody")
    .replace(/a=ice-pwd:[^\r\n]*/g, "a=ice-pwd:nobodynobodynobodynobody");
}

export class MockServer {
  constructor(options) {
    this.options = options;
    this.world = options.calls === undefined ? null : new World(options);
    this.sessions = new Map();
    this.feeds = new Set();
    this.log = [];
    this.offers = [];
    this.signedIn = options.signedIn ?? true;
    this.frozen = false;
    this.http = createServer((request, response) => void this.serve(request, response));
    this.sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] });
    this.http.on("upgrade", (request, socket, head) =>
      this.sockets.handleUpgrade(request, socket, head, (ws) => {
        if (request.url === "/api/feed") this.feed(ws);
        else if (request.url.startsWith("/api/listen")) this.audio(ws);
        else ws.close(1008);
      }),
    );
  }

  start(port) {
    this.timers = [setInterval(() => this.tick(), 1000), setInterval(() => this.sessionTick(), 100)];
    return new Promise((done) => this.http.listen(port, "127.0.0.1", done));
  }

  tick() {
    if (!this.world) return;
    const delta = this.world.tick();
    if (this.frozen) return;
    // A node that does not answer: the web process still speaks, but has no news of its calls.
    const message = this.staleNodes?.length ? { now_ms: delta.now_ms } : delta;
    if (this.staleNodes) message.stale = this.staleNodes;
    for (const feed of this.feeds) if (feed.n) feed.ws.send(JSON.stringify({ type: "delta", n: ++feed.n, ...message }));
  }

  feed(ws) {
    const feed = { ws, n: 0 };
    this.feeds.add(feed);
    ws.on("close", () => this.feeds.delete(feed));
    ws.on("message", (data) => {
      const message = JSON.parse(data);
      this.log.push(message);
      if (message.type === "ticket" || message.type === "resync") {
        feed.n += 1;
        ws.send(
          JSON.stringify({
            type: "snapshot",
            n: feed.n,
            me: this.options.me ?? ME,
            ...(this.world?.snapshot() ?? { now_ms: Date.now(), calls: [], figures: [], spurts: [], alerts: [] }),
          }),
        );
      } else if (message.type === "ping") {
        if (!this.frozen) ws.send(JSON.stringify({ type: "pong", now_ms: Date.now() }));
      } else if (message.type === "key") this.key(message);
    });
  }

  key({ session, mode }) {
    const known = this.sessions.get(session);
    if (!known) return;
    known.until = mode === "listen" ? 0 : Date.now() + 1500;
    if (known.mode !== mode) {
      known.mode = mode;
      this.tell(known);
    }
  }

  tell(session) {
    const dbfs = session.mode === "listen" ? -96 : -24 - 12 * Math.abs(Math.sin(Date.now() / 300));
    const state = {
      type: "session",
      session: session.id,
      call: session.call,
      mode: session.mode,
      state: session.state ?? "connected",
      refused: session.refused ?? "",
      whisper_dbfs: dbfs,
      whispered_ms: session.whispered,
      heard_ms: Date.now() - session.opened,
      transport: session.transport,
    };
    for (const feed of this.feeds) feed.ws.send(JSON.stringify(state));
  }

  sessionTick() {
    for (const session of this.sessions.values()) {
      if (session.mode !== "listen" && Date.now() > session.until) session.mode = "listen";
      if (session.mode !== "listen") session.whispered += 100;
      session.beat = (session.beat + 1) % 10;
      if (session.mode !== "listen" || session.beat === 0) this.tell(session);
    }
  }

  openSession(call, transport) {
    const session = {
      id: randomUUID(),
      call,
      transport,
      mode: "listen",
      opened: Date.now(),
      whispered: 0,
      beat: 0,
      until: 0,
    };
    this.sessions.set(session.id, session);
    this.world?.change(call, { listeners: 1 });
    return session;
  }

  audio(ws) {
    let sequence = 0;
    let phase = 0;
    const timer = setInterval(() => {
      [
        [440, 0.2],
        [880, 0.1],
      ].forEach(([hertz, amplitude], slot) => {
        const frame = Buffer.alloc(8 + 160);
        frame.writeUInt8(1, 0);
        frame.writeUInt8(slot, 1);
        frame.writeUInt16BE(sequence & 0xffff, 2);
        frame.writeUInt32BE(phase >>> 0, 4);
        for (let i = 0; i < 160; i++)
          frame[8 + i] = mulaw(amplitude * Math.sin((2 * Math.PI * hertz * (phase + i)) / 8000));
        ws.send(frame);
      });
      sequence++;
      phase += 160;
    }, 20);
    ws.on("message", (data, binary) => binary && this.log.push({ type: "audio", bytes: data.length, kind: data[0] }));
    ws.on("close", () => clearInterval(timer));
  }

  async serve(request, response) {
    const url = new URL(request.url, "http://mock");
    const body = await new Promise((done) => {
      let text = "";
      request.on("data", (chunk) => (text += chunk));
      request.on("end", () => done(text));
    });
    const answer = (status, value, headers = {}) => {
      const text = typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value);
      response.writeHead(status, { "content-type": "application/json", "content-security-policy": POLICY, ...headers });
      response.end(text);
    };
    const refuse = (status, id) => answer(status, { error: { id, text: id } });
    const route = this.route(request.method, url, body, request.headers["content-type"] ?? "");
    if (route) return route(answer, refuse);
    if (request.method === "GET") return this.file(url.pathname, answer);
    return refuse(404, "not_found");
  }

  route(method, url, body, type) {
    const path = url.pathname;
    const at = `${method} ${path}`;
    const [, what, id, action] = path.match(/^\/api\/(calls|sessions)\/([^/]+)\/?(\w*)$/) ?? [];
    if (what === "calls" && action === "listen") return (answer, refuse) => this.listen(id, body, type, answer, refuse);
    if (what === "sessions") return (answer) => this.session(method, id, action, body, answer);
    const fixed = {
      "POST /api/login": (answer, refuse) => this.login(JSON.parse(body), answer, refuse),
      "POST /api/logout": (answer) => {
        this.signedIn = this.options.signedIn ?? true;
        answer(204, "");
      },
      "GET /api/me": (answer, refuse) =>
        this.signedIn ? answer(200, this.options.me ?? ME) : refuse(401, "signed_out"),
      "POST /api/setup": (answer, refuse) =>
        JSON.parse(body).token === "token" ? answer(201, {}) : refuse(403, "wrong_token"),
      "POST /api/ticket": (answer, refuse) =>
        this.signedIn ? answer(200, { ticket: randomUUID() }) : refuse(401, "signed_out"),
      "GET /api/audit": (answer) => answer(200, auditEntries(url.searchParams)),
      "GET /api/audit/verify": (answer) =>
        answer(
          200,
          this.options.broken
            ? {
                ok: false,
                anchors: 3,
                writers: [],
                problems: [{ journal: "store:node-0", line: 41, id: "hash", text: "the hash does not match" }],
              }
            : { ok: true, anchors: 3, writers: [], problems: [] },
        ),
      "GET /api/openapi.json": (answer) => answer(200, { paths: this.options.demo ? { "/demo/heard": {} } : {} }),
      "GET /demo/heard": (answer, refuse) => (this.options.demo ? answer(200, this.heard()) : refuse(404, "not_found")),
      // Levers of the tests.
      "GET /mock/log": (answer) => answer(200, this.log.splice(0)),
      "POST /mock/set": (answer) => {
        Object.assign(this, JSON.parse(body));
        answer(200, {});
      },
      "POST /mock/refuse": (answer) => {
        for (const s of this.sessions.values()) Object.assign(s, JSON.parse(body));
        answer(200, {});
      },
      "POST /mock/drop": (answer) => {
        for (const feed of this.feeds) feed.ws.terminate();
        answer(200, {});
      },
      "GET /mock/offer": (answer) => {
        const offer = this.offers.find(({ taken }) => !taken);
        if (offer) offer.taken = true;
        answer(200, offer ?? {});
      },
      "POST /mock/answer": (answer) => {
        const { id: which, sdp } = JSON.parse(body);
        this.offers.find((offer) => offer.id === which)?.done(sdp);
        answer(200, {});
      },
    };
    return fixed[at];
  }

  async listen(call, body, type, answer, refuse) {
    if (!this.world?.talks.has(call)) return refuse(404, "call_gone");
    if (type.startsWith("application/json")) {
      const session = this.openSession(call, "websocket");
      return answer(201, { session: session.id, fallback_url: "/api/listen", fallback_ticket: randomUUID() });
    }
    if (this.noPort) return refuse(503, "no_webrtc");
    const session = this.openSession(call, "webrtc");
    const headers = {
      "content-type": "application/sdp",
      location: `/api/sessions/${session.id}`,
      "x-livemon-session": session.id,
    };
    if (!this.peer) return answer(201, deafAnswer(body), headers);
    const id = randomUUID();
    const sdp = await new Promise((done) => this.offers.push({ id, sdp: body, done }));
    return answer(201, sdp, headers);
  }

  session(method, id, action, body, answer) {
    const session = this.sessions.get(id);
    this.log.push({ type: "http", method, action, session: id });
    if (!session) return answer(404, { error: { id: "not_found", text: "" } });
    if (method === "DELETE") {
      this.sessions.delete(id);
      this.world?.change(session.call, { listeners: 0 });
      return answer(204, "");
    }
    if (action === "hop") {
      this.world?.change(session.call, { listeners: 0 });
      session.call = JSON.parse(body).call;
      this.world?.change(session.call, { listeners: 1 });
    }
    return answer(200, {});
  }

  login({ login, password }, answer, refuse) {
    if (password !== "secret") return refuse(401, "wrong_login");
    this.signedIn = true;
    return answer(200, { ...ME, user: login });
  }

  heard() {
    const speaking = [...this.sessions.values()].find((session) => session.mode !== "listen");
    return {
      phones: [...(this.world?.talks.values() ?? [])].slice(0, 8).map((talk) => ({
        agent: talk.view.agent_name,
        customer: talk.view.customer,
        agent_hears_dbfs: talk.speaking & 2 ? -22 : speaking?.call === talk.id ? -26 : -70,
        customer_hears_dbfs: talk.speaking & 1 ? -19 : -70,
        whisper_found: speaking?.call === talk.id,
      })),
    };
  }

  async file(path, answer) {
    const name = NAMED[path] ? `${NAMED[path]}.html` : normalize(path).replace(/^[/\\.]+/, "");
    try {
      const data = await readFile(join(PAGES, name));
      answer(200, data, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
      return;
    } catch {
      answer(404, { error: { id: "not_found", text: path } });
    }
  }
}
