/** Numbers as text: the same everywhere. */

/** `0:07`, `12:03`, `1:02:03`; negative times are 0. */
export function duration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const seconds = String(total % 60).padStart(2, "0");
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** Whole dB with a true minus sign, or a dash below the floor of G.711. */
export function dbfs(value: number): string {
  if (value <= SILENCE_DBFS) return "\u2013";
  const rounded = Math.round(value);
  return rounded < 0 ? `\u2212${-rounded}` : `${rounded}`;
}

/** Below this a leg carries nothing a person would hear. */
export const SILENCE_DBFS = -90;
/** The meters' lower end: under it line noise of telephones lives. */
const METER_FLOOR_DBFS = -60;

/** Place of a level on a meter, 0 to 1. */
export function meterShare(value: number): number {
  return Math.min(1, Math.max(0, (value - METER_FLOOR_DBFS) / -METER_FLOOR_DBFS));
}

/** Root mean square in dB of full scale. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum > 0 ? Math.max(-96, 10 * Math.log10(sum / samples.length)) : -96;
}

export function clockTime(epochMs: number, withSeconds = true): string {
  return new Date(epochMs).toLocaleTimeString("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    ...(withSeconds ? { second: "2-digit" } : {}),
  });
}

/** `2026-11-22 05:08:20.123`, in the reader's own time zone. */
export function stamp(epochMs: number): string {
  const at = new Date(epochMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
