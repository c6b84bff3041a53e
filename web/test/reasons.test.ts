/** Every reason the programs can give is a sentence of the catalogue, so that no page ever shows a bare id. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { en } from "../src/strings/en";

const ROOT = new URL("../../", import.meta.url);

/** How the sources write a reason: a refusal raised, a session ended or refused, a capability refused. */
const WRITTEN = [
  /\bRefused\(\s*"(\w+)"/g,
  /\bfailure\(\s*"(\w+)"/g,
  /\.(?:_end|refuse|_fall_to_listen|_end_stretch)\((?:[\w.]+, )?"(\w+)"/g,
  /\bfromkeys\([^)]*\), "(\w+)"\)/g,
  /\bfromkeys\([\w.]+, "(\w+)"\)/g,
  /\breason or "(\w+)"/g,
  /\b_refuse\(\w+, "(\w+)"\)/g,
  /"error": "(\w+)"/g,
  /{"(?:whisper|barge|listen)": "(\w+)"}/g,
];
/** Whole functions whose every return is a reason. */
const RETURNS: readonly (readonly [file: string, name: string])[] = [
  ["sip_bridge/media/speech.py", "_refusal"],
  ["livemon/listen/rights.py", "missing"],
  ["livemon/calls/access.py", "allowed"],
];
/** Counters of datagrams and of bad frames use the same verbs; no person sees them. */
const NOT_SHOWN = ["livemon/listen/icelite.py", "livemon/listen/lean.py", "livemon/listen/stun.py"];

function sources(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".py") && !name.includes("demo/"))
    .map((name) => folder + name);
}

function read(file: string): string {
  return readFileSync(new URL(file, ROOT), "utf8");
}

function reasons(): Set<string> {
  const found = new Set<string>();
  for (const file of [...sources("livemon/"), ...sources("sip_bridge/")]) {
    if (NOT_SHOWN.includes(file)) continue;
    const text = read(file);
    for (const pattern of WRITTEN) for (const [, id] of text.matchAll(pattern)) if (id) found.add(id);
  }
  // The one set of node and web process: names of reasons, and the keys of its table.
  for (const [, id] of read("livemon/reasons.py").matchAll(/^(?:[A-Z_]+: Final = | {4})"(\w+)"/gm))
    if (id) found.add(id);
  for (const [file, name] of RETURNS) {
    const body = new RegExp(`def ${name}\\(.*?(?=\\n    def |\\ndef |\\nclass |$)`, "s").exec(read(file))?.[0] ?? "";
    for (const [, id] of body.matchAll(/(?:return|else|reason =) "(\w+)"/g)) if (id) found.add(id);
  }
  return found;
}

test("every reason id of the sources has a text", () => {
  const found = reasons();
  // A pattern that no longer fits the sources must not make this test true.
  for (const known of ["agent_holds", "audit_unavailable", "bridge_away", "key_up", "no_such_leg", "trunk_side"])
    expect(found).toContain(known);
  expect([...found].filter((id) => !(`reason.${id}` in en)).sort()).toEqual([]);
});
