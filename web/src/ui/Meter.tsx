/** A level meter: rises at once, falls slowly, moves nothing but its own bar; the number beside it is the bar's. */
import { createSignal, onCleanup, onMount, Show } from "solid-js";
import { FallingLevel } from "../core/fall";
import { dbfs, meterShare, SILENCE_DBFS } from "../core/format";

/** Twenty looks a second are enough for an eye and cheap for a wall of meters. */
const LOOK_MS = 50;
/** A number that changes faster cannot be read. */
const WRITE_MS = 250;

export interface MeterProps {
  read: () => number;
  label: string;
  side: "agent" | "customer" | "others" | "on-fill";
  /** Given the level in dB (or a dash), returns the text to show under the bar. */
  written?: (level: string) => string;
}

export function Meter(props: MeterProps) {
  let bar: HTMLDivElement | undefined;
  let root: HTMLDivElement | undefined;
  const level = new FallingLevel();
  const [text, setText] = createSignal(dbfs(SILENCE_DBFS));
  let drawn = 0;
  let last = 0;
  let wrote = 0;
  let frame = 0;
  const look = (at: number) => {
    frame = requestAnimationFrame(look);
    if (at - last < LOOK_MS) return;
    last = at;
    const value = level.next(props.read(), at);
    if (at - wrote >= WRITE_MS) {
      wrote = at;
      setText(dbfs(value));
    }
    const share = meterShare(value);
    if (Math.abs(share - drawn) < 0.002) return;
    drawn = share;
    if (bar) bar.style.transform = `scaleX(${share.toFixed(3)})`;
    root?.setAttribute("aria-valuenow", String(Math.round(value)));
  };
  onMount(() => {
    frame = requestAnimationFrame(look);
    onCleanup(() => cancelAnimationFrame(frame));
  });
  return (
    <>
      <div
        ref={root}
        class="meter"
        data-side={props.side}
        role="meter"
        aria-label={props.label}
        aria-valuemin={SILENCE_DBFS}
        aria-valuemax={0}
        aria-valuenow={SILENCE_DBFS}
      >
        <div ref={bar} />
      </div>
      <Show when={props.written}>{(written) => <span class="small written">{written()(text())}</span>}</Show>
    </>
  );
}
