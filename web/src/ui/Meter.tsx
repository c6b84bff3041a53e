/** A level meter: rises at once, falls slowly, moves nothing but its own bar. */
import { onCleanup, onMount } from "solid-js";
import { meterShare } from "../core/format";

/** Twenty looks a second are enough for an eye and cheap for a wall of meters. */
const LOOK_MS = 50;
/** How fast the bar falls, in shares of the whole meter per look: 40 dB in one second. */
const FALL = 0.033;

export function Meter(props: { read: () => number; label: string; side: "agent" | "customer" | "others" | "on-fill" }) {
  let bar: HTMLDivElement | undefined;
  let root: HTMLDivElement | undefined;
  let shown = 0;
  let last = 0;
  let frame = 0;
  const look = (at: number) => {
    frame = requestAnimationFrame(look);
    if (at - last < LOOK_MS) return;
    last = at;
    const value = props.read();
    const next = Math.max(meterShare(value), shown - FALL);
    if (Math.abs(next - shown) < 0.002) return;
    shown = next;
    if (bar) bar.style.transform = `scaleX(${next.toFixed(3)})`;
    root?.setAttribute("aria-valuenow", String(Math.round(Math.max(-96, value))));
  };
  onMount(() => {
    frame = requestAnimationFrame(look);
    onCleanup(() => cancelAnimationFrame(frame));
  });
  return (
    <div
      ref={root}
      class="meter"
      data-side={props.side}
      role="meter"
      aria-label={props.label}
      aria-valuemin={-96}
      aria-valuemax={0}
      aria-valuenow={-96}
    >
      <div ref={bar} />
    </div>
  );
}
