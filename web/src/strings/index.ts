/** `t("key", {parameters})`: the only way a text gets on a page. */
import { en } from "./en";

export type TextId = keyof typeof en;

type Names<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Parameters<K extends TextId> =
  Names<(typeof en)[K]> extends never ? [] : [Record<Names<(typeof en)[K]>, string | number>];

type PluralBase = TextId extends infer K ? (K extends `${infer Base}.one` ? Base : never) : never;

const language = typeof location === "undefined" ? "en" : new URLSearchParams(location.search).get("lang");

const ACCENTED: Record<string, string> = {
  a: "á",
  c: "ç",
  e: "é",
  g: "ğ",
  i: "í",
  n: "ñ",
  o: "ö",
  s: "š",
  u: "ü",
  y: "ý",
  z: "ž",
  A: "Å",
  C: "Ç",
  E: "É",
  I: "Í",
  N: "Ñ",
  O: "Ö",
  S: "Š",
  U: "Ü",
}; // prettier kept short: only what shows that a text went through the catalogue

/** The text as a long-winded language would have it: accents, brackets, 40 % more length; parameters stay. */
export function pseudo(text: string): string {
  if (!text) return text;
  const pieces = text.split(/(\{\w+\})/);
  const letters = pieces.map((piece) =>
    piece.startsWith("{") ? piece : piece.replace(/[a-z]/gi, (l) => ACCENTED[l] ?? l),
  );
  const length = pieces.reduce((sum, piece) => sum + (piece.startsWith("{") ? 0 : piece.length), 0);
  return `[${letters.join("")}${"~".repeat(Math.max(1, Math.ceil(length * 0.4) - 2))}]`;
}

function fill(text: string, values: Record<string, string | number> | undefined): string {
  const shown = language === "pseudo" ? pseudo(text) : text;
  return values ? shown.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole)) : shown;
}

export function t<K extends TextId>(id: K, ...values: Parameters<K>): string {
  return fill(en[id], values[0]);
}

const plural = new Intl.PluralRules("en");

/** A text that depends on a count: `calls.count` has `calls.count.one` and `calls.count.other`. */
export function tn(base: PluralBase, n: number): string {
  const id = `${base}.${plural.select(n) === "one" ? "one" : "other"}` as TextId;
  return fill(en[id], { n });
}

/** A text whose id comes from the server; ids this page does not know are shown as they are. */
export function told(prefix: "reason" | "state" | "cause" | "rule" | "act", id: string): string {
  const key = `${prefix}.${id}`;
  if (key in en) return fill(en[key as TextId], undefined);
  return prefix === "reason" ? fill(en["reason.other"], { id }) : id;
}
