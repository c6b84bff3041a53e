/** One live call. Only cells whose text changes are written. */
import { createMemo, Show } from "solid-js";
import { type LiveCall, level } from "../core/board";
import { durationOf, refusal, runningSilence } from "../core/facts";
import { duration } from "../core/format";
import { FIG } from "../core/wire";
import { t, told } from "../strings";
import { Lanes } from "../ui/Lanes";
import type { Live } from "../ui/live";
import { Marks } from "../ui/Marks";

/** Shorter pauses are how people talk; a number that flickers at every breath would only disturb. */
const SHOW_SILENCE_MS = 2_000;
const LEVELS = ["", "warn", "alert", "critical"] as const;

export interface RowProps {
  id: string;
  live: Live;
  place: number;
  rowHeight: number;
  selected: boolean;
  active: boolean;
  onSelect(): void;
  onListen(): void;
}

export function rowId(id: string): string {
  return `call-${id}`;
}

export function CallRow(props: RowProps) {
  const known = props.live.call(props.id);
  // The call object stays the same for its whole life; the version says when it changed.
  const version = createMemo((count: number) => {
    props.live.call(props.id);
    return count + 1;
  }, 0);
  return <Show when={known}>{(call) => <Cells {...props} call={call()} version={version()} />}</Show>;
}

function Cells(props: RowProps & { call: LiveCall; version: number }) {
  const view = () => {
    props.version;
    return props.call.view;
  };
  const severity = () => {
    props.version;
    return LEVELS[level(props.call)];
  };
  const time = createMemo(() => duration(durationOf(props.call, props.live.nowOf(props.call))));
  const silence = createMemo(() => {
    props.version;
    const running = runningSilence(props.call, props.live.nowOf(props.call));
    return running >= SHOW_SILENCE_MS ? duration(running) : "";
  });
  const cause = () => {
    props.version;
    return silence() ? told("cause", props.call.figures?.[FIG.cause] ?? "") : "";
  };
  const state = () => {
    const { state: name, hold_by } = view();
    return told("state", name === "hold" && hold_by ? `hold.${hold_by}` : name);
  };
  const why = () => refusal(view(), props.live.me(), "listen");
  const agent = () => view().agent_name || t("calls.unassigned");
  return (
    <div
      class="row"
      id={rowId(props.id)}
      role="row"
      aria-rowindex={props.place + 2}
      aria-selected={props.selected}
      data-severity={severity()}
      data-active={props.active ? "" : undefined}
      data-stale={props.live.stale(props.call) ? "" : undefined}
      style={{ transform: `translateY(${props.place * props.rowHeight}px)` }}
      onClick={() => props.onSelect()}
      onDblClick={() => props.onListen()}
    >
      <span class="c-agent cut" role="gridcell" title={view().agent_number}>
        {agent()}
      </span>
      <span class="c-queue cut" role="gridcell">
        {view().queue_name || t("calls.noQueue")}
      </span>
      <span class="c-state cut" role="gridcell">
        {state()}
      </span>
      <span class="c-time" role="gridcell">
        {time()}
      </span>
      <span class="c-lanes" role="gridcell">
        <Lanes call={props.call} version={props.version} second={props.live.secondOf(props.call)} />
      </span>
      <span class="c-silence" role="gridcell">
        <span class="quiet small cut">{cause()}</span>
        <span class="figure">{silence()}</span>
      </span>
      <span class="c-marks" role="gridcell">
        <Marks call={props.call} version={props.version} now={props.live.nowOf(props.call)} />
      </span>
      <span class="c-listen" role="gridcell">
        <button
          type="button"
          class="button"
          tabindex={-1}
          aria-pressed={props.active}
          aria-disabled={why() !== ""}
          title={why() ? told("reason", why()) : undefined}
          aria-label={
            props.active ? t("listen.activeFor", { agent: agent() }) : t("listen.actionFor", { agent: agent() })
          }
          onClick={(event) => {
            event.stopPropagation();
            if (!why()) props.onListen();
          }}
          onDblClick={(event) => event.stopPropagation()}
        >
          {props.active ? t("listen.stop") : t("listen.action")}
        </button>
      </span>
    </div>
  );
}
