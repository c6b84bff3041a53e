/** Two talk lanes of the last minute: agent above, customer below, silence and overlap between them. */
import { createEffect, createSignal, onCleanup, onMount } from "solid-js";
import type { LiveCall } from "../core/board";
import { covered, type LaneDrawing, lanes, type Stretch } from "../core/lanes";
import { t } from "../strings";
import { token } from "./theme";

interface Sizes {
  width: number;
  height: number;
}

function draw(canvas: HTMLCanvasElement, size: Sizes, drawing: LaneDrawing): void {
  const context = canvas.getContext("2d");
  if (!context || !size.width) return;
  const scale = devicePixelRatio;
  const width = Math.round(size.width * scale);
  const height = Math.round(size.height * scale);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  context.clearRect(0, 0, width, height);
  const gap = Math.round(4 * scale);
  const lane = Math.floor((height - gap) / 2);
  const bar = (stretches: readonly Stretch[], top: number, tall: number, colour: string) => {
    context.fillStyle = colour;
    for (const [from, to] of stretches) {
      const left = Math.round(from * width);
      context.fillRect(left, top, Math.max(1, Math.round(to * width) - left), tall);
    }
  };
  // The whole minute faintly, so that a young call is seen as young and not as a short lane.
  const before: Stretch[] = [[0, drawing.start]];
  bar(drawing.start > 0 ? before : [], 0, lane, token("n1"));
  bar(drawing.start > 0 ? before : [], lane + gap, lane, token("n1"));
  const call: Stretch[] = [[drawing.start, 1]];
  bar(call, 0, lane, token("n2"));
  bar(call, lane + gap, lane, token("n2"));
  for (const hold of drawing.holds) hatch(context, hold, width, height, scale);
  bar(drawing.others, 0, Math.ceil(lane / 3), token("others"));
  bar(drawing.agent, 0, lane, token("agent"));
  bar(drawing.customer, lane + gap, lane, token("customer"));
  const middle = Math.round(2 * scale);
  bar(drawing.silences, lane + (gap - middle) / 2, middle, token("n6"));
  bar(drawing.overlaps, lane, gap, token("alert-fill"));
}

/** Hold is not silence: slanted lines instead of a bar. */
function hatch(
  context: CanvasRenderingContext2D,
  [from, to]: Stretch,
  width: number,
  height: number,
  scale: number,
): void {
  context.save();
  context.beginPath();
  context.rect(from * width, 0, (to - from) * width, height);
  context.clip();
  context.strokeStyle = token("n4");
  context.lineWidth = scale;
  context.beginPath();
  for (let x = Math.floor(from * width) - height; x < to * width; x += 6 * scale) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.stroke();
  context.restore();
}

export function Lanes(props: { call: LiveCall; version: unknown; second: number }) {
  let canvas: HTMLCanvasElement | undefined;
  const [size, setSize] = createSignal<Sizes>({ width: 0, height: 0 });
  onMount(() => {
    if (!canvas) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(canvas);
    onCleanup(() => observer.disconnect());
  });
  const drawing = () => {
    props.version;
    return lanes(props.call, props.second * 1000);
  };
  createEffect(() => {
    if (canvas) draw(canvas, size(), drawing());
  });
  const text = () => {
    const { agent, customer } = drawing();
    return t("lanes.text", { agent: covered(agent), customer: covered(customer) });
  };
  return <canvas class="lanes" ref={canvas} role="img" aria-label={text()} />;
}
