// Invented calls for development and page tests: people take turns, fall silent, talk at once, hold. Seeded.

const FIRST = [
  "Anna",
  "Jonas",
  "Priya",
  "Tomasz",
  "Chloe",
  "Samuel",
  "Elena",
  "Lucas",
  "Hannah",
  "Yusuf",
  "Sofia",
  "Magdalena",
  "Ben",
  "Noor",
  "Oliver",
  "Ines",
  "Daniel",
  "Freya",
  "Marco",
];
const LAST = [
  "Berg",
  "Lindqvist",
  "Keller",
  "Raman",
  "Nowak",
  "Martin",
  "Okafor",
  "Petrova",
  "Ferreira",
  "Vogel",
  "Demir",
  "Rossi",
  "Kowalczyk",
  "Carter",
  "Haddad",
  "Schmidt",
  "Moreau",
  "Novak",
  "Jensen",
  "Bianchi",
  "Costa",
  "Ito",
  "Hughes",
];
const QUEUES = [
  ["billing", "Billing"],
  ["support", "Technical support"],
  ["sales", "Sales"],
  ["claims", "Claims"],
];
const KINDS = ["dead_air", "normal", "talk_over", "normal", "hold", "normal", "normal", "ringing"];

function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

function severity(value, [warn, alert, critical]) {
  if (value >= critical) return "critical";
  if (value >= alert) return "alert";
  return value >= warn ? "warn" : null;
}

class Talk {
  constructor(world, index, kind, now, age) {
    this.world = world;
    this.index = index;
    this.kind = kind;
    this.random = world.random;
    const agent = index;
    // 19 and 23 have no common factor, so 437 people have different names.
    const name = `${FIRST[(index * 7) % FIRST.length]} ${LAST[(index * 5) % LAST.length]}`;
    const [queue, queueName] = QUEUES[(index * 5 + (index >> 2)) % QUEUES.length];
    this.id = `0192f000-0000-7000-8000-${String(++world.made).padStart(12, "0")}`;
    const answered = kind === "ringing" ? null : now - age;
    this.view = {
      index,
      id: this.id,
      segment: `s${world.made}`,
      node: "node-0",
      bridge: "b1",
      trunk: "phones",
      placement: world.made % 11 === 6 ? "trunk" : "station",
      direction: world.made % 3 ? "inbound" : "outbound",
      state: kind === "ringing" ? "ringing" : kind === "hold" ? "hold" : "talking",
      hold_by: kind === "hold" ? "agent" : "",
      agent_id: `a${agent}`,
      agent_name: name,
      agent_number: String(100 + agent),
      team: "t1",
      team_name: "North",
      queue,
      queue_name: queueName,
      customer: `+44 20 7946 0${String(100 + (world.made % 900))}`,
      started_at_ms: now - age - (answered ? 6000 : 0),
      answered_at_ms: answered,
      state_since_ms: kind === "hold" ? now - Math.min(age, 58_000) : now - age,
      capabilities: ["listen", "whisper", "barge"],
      refused: {},
      listeners: 0,
      modes: [],
      proof_failures: 0,
      agent_leg: index * 2,
      customer_leg: index * 2 + 1,
    };
    if (this.view.placement === "trunk") {
      this.view.capabilities = ["listen"];
      this.view.refused = { whisper: "trunk_side", barge: "trunk_side" };
    } else if (kind === "hold") this.view.refused = { whisper: "agent_holds" };
    else if (kind === "ringing")
      this.view.refused = { listen: "not_answered", whisper: "not_answered", barge: "not_answered" };
    this.spurts = [];
    this.open = [];
    this.alerts = new Map();
    this.total = { agent: 0, customer: 0, overlap: 0, silence: 0, longest: 0, dead: 0, cuts: 0, hold: 0 };
    this.lastSpeech = this.view.answered_at_ms ?? now;
    this.talkover = 0;
    this.nextTurn = 0;
    this.turn = 0;
    this.until = now + 60_000 + this.random() * 240_000;
    if (kind === "dead_air") this.quietFrom = now + 3000;
    for (let at = now - Math.min(age, 60_000); at < now; at += 100) this.step(at);
  }

  say(party, from, length) {
    const start = Math.round(from - this.view.started_at_ms);
    const row = [this.index, party, start, start, true];
    this.spurts.push(row);
    this.open.push({ row, until: from + length });
  }

  step(at) {
    for (const talk of this.open) {
      const end = Math.min(at, talk.until);
      talk.row[3] = Math.round(end - this.view.started_at_ms);
      if (at >= talk.until) talk.row[4] = false;
      talk.row.touched = true;
    }
    this.open = this.open.filter((talk) => talk.row[4]);
    const agent = this.open.some((talk) => talk.row[1] === 0);
    const customer = this.open.some((talk) => talk.row[1] === 1);
    this.speaking = (agent ? 1 : 0) | (customer ? 2 : 0);
    if (agent) this.total.agent += 100;
    if (customer) this.total.customer += 100;
    if (agent && customer) {
      this.total.overlap += 100;
      this.talkover += 100;
    } else this.talkover = 0;
    if (this.speaking) this.lastSpeech = at;
    if (this.view.state === "hold") this.total.hold += 100;
    if (this.view.state !== "talking") return;
    const silence = at - this.lastSpeech;
    this.total.longest = Math.max(this.total.longest, silence);
    if (!this.speaking) this.total.silence += 100;
    if (this.quietFrom && at >= this.quietFrom) return;
    if (this.kind === "talk_over" && this.turn % 5 === 4 && at >= this.nextTurn) {
      const length = 3500 + this.random() * 4000;
      this.say(0, at, length);
      this.say(1, at + 200, length);
      this.total.cuts++;
      this.nextTurn = at + length + 800;
      this.turn++;
    } else if (at >= this.nextTurn) {
      const length = 900 + this.random() * 5200;
      this.say(this.turn++ % 2, at, length);
      if (this.random() < 0.25) this.say(this.turn % 2, at + length * 0.5, 350);
      this.nextTurn = at + length + 150 + this.random() * (this.random() < 0.1 ? 3800 : 900);
    }
  }

  silence(now) {
    if (this.view.state === "ringing" || this.speaking) return 0;
    return Math.max(0, Math.round(this.view.state === "hold" ? now - this.view.state_since_ms : now - this.lastSpeech));
  }

  figures(now) {
    const t = this.total;
    const cause = this.view.state === "hold" ? "hold" : this.speaking ? "" : "unexplained";
    return [
      this.index,
      this.silence(now),
      cause,
      this.speaking ?? 0,
      this.talkover,
      t.agent,
      t.customer,
      t.overlap,
      t.silence,
      t.longest,
      t.dead,
      t.cuts,
      t.hold,
      this.speaking & 1 ? -18.5 : -70,
      this.speaking & 2 ? -22.1 : -70,
      0,
      0,
    ];
  }

  wanted(now) {
    const found = [];
    if (this.view.state === "talking") {
      const silence = now - this.lastSpeech;
      const dead = this.speaking ? null : severity(silence, [5000, 10_000, 20_000]);
      if (dead) found.push(["dead_air", dead, this.lastSpeech, silence]);
      if (this.talkover >= 3000) found.push(["talk_over", "alert", now - this.talkover, this.talkover]);
    }
    if (this.view.state === "hold") {
      const held = now - this.view.state_since_ms;
      const hold = severity(held, [60_000, 120_000, 1e9]);
      if (hold) found.push(["hold", hold, this.view.state_since_ms, held]);
    }
    return found;
  }

  alertChanges(now) {
    const changes = [];
    const wanted = new Map(this.wanted(now).map((alert) => [alert[0], alert]));
    for (const [rule, [, level, since, value]] of wanted) {
      const known = this.alerts.get(rule);
      if (known && known.severity === level) continue;
      const alert = {
        id: known?.id ?? `al${++this.world.alerts}`,
        call: this.id,
        rule,
        severity: level,
        state: "raised",
        raised_at_ms: Math.round(now),
        since_ms: Math.round(since),
        value_ms: Math.round(value),
      };
      this.alerts.set(rule, alert);
      changes.push(alert);
    }
    for (const [rule, alert] of this.alerts) {
      if (wanted.has(rule)) continue;
      this.alerts.delete(rule);
      changes.push({ ...alert, state: "cleared", cleared_at_ms: Math.round(now) });
    }
    return changes;
  }
}

export class World {
  constructor({ calls, calm = false, seed = 7, steady = false }) {
    Object.assign(this, {
      size: calls,
      calm,
      steady,
      random: generator(seed),
      made: 0,
      alerts: 0,
      talks: new Map(),
      gone: [],
      fresh: [],
    });
    const now = Date.now();
    for (let index = 0; index < calls; index++) this.add(index, now, 8_000 + this.random() * 400_000);
    this.last = now;
  }

  add(index, now, age) {
    let kind = this.calm ? "normal" : KINDS[index % KINDS.length];
    if (!this.calm && this.size > 40 && this.random() < 0.8) kind = "normal";
    const talk = new Talk(this, index, kind, now, age);
    this.talks.set(talk.id, talk);
    this.fresh.push(talk);
  }

  snapshot() {
    const now = Date.now();
    const talks = [...this.talks.values()];
    return {
      now_ms: now,
      calls: talks.map((talk) => talk.view),
      figures: talks.map((talk) => talk.figures(now)),
      spurts: talks.flatMap((talk) => talk.spurts.slice(-30)),
      alerts: talks.flatMap((talk) => [...talk.alerts.values()]),
      nodes: [{ node: "node-0", calls: talks.length, sessions: 0, bridges: ["b1"] }],
      stale: [],
    };
  }

  /** One second: what changed. */
  tick() {
    const now = Date.now();
    const delta = { now_ms: now };
    const gone = [];
    const changed = new Set(this.fresh);
    this.fresh = [];
    if (!this.steady) {
      for (const talk of [...this.talks.values()]) {
        if (now < talk.until) continue;
        this.talks.delete(talk.id);
        gone.push(talk.id);
        this.add(talk.index, now, 0);
      }
      for (const talk of this.fresh) changed.add(talk);
      this.fresh = [];
    }
    for (let at = this.last; at < now; at += 100) for (const talk of this.talks.values()) talk.step(at);
    this.last = now;
    const talks = [...this.talks.values()];
    for (const talk of talks) {
      if (talk.view.state === "ringing" && now - talk.view.started_at_ms > 20_000 && !this.steady) {
        Object.assign(talk.view, { state: "talking", answered_at_ms: now, state_since_ms: now, refused: {} });
        talk.lastSpeech = now;
        changed.add(talk);
      }
    }
    if (gone.length) delta.gone = gone;
    if (changed.size) delta.calls = [...changed].filter((talk) => this.talks.has(talk.id)).map((talk) => talk.view);
    delta.figures = talks.map((talk) => talk.figures(now));
    delta.spurts = talks.flatMap((talk) => talk.spurts.filter((row) => row.touched));
    for (const talk of talks) {
      for (const row of talk.spurts) row.touched = false;
      talk.spurts = talk.spurts.slice(-40);
    }
    const alerts = talks.flatMap((talk) => talk.alertChanges(now));
    if (alerts.length) delta.alerts = alerts;
    return delta;
  }

  change(id, members) {
    const talk = this.talks.get(id);
    if (!talk) return;
    Object.assign(talk.view, members);
    this.fresh.push(talk);
  }
}
