/** The table of live calls; only the rows in sight are in the page. */
import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { t, tn } from "../strings";
import type { Live } from "../ui/live";
import { CallRow, rowId } from "./CallRow";

/** Must be --row of the token file, and the two-line row of narrow pages. */
const ROW_PX = 40;
const NARROW_ROW_PX = 72;
/** Rows drawn above and below the visible ones, so that scrolling does not show holes. */
const SPARE_ROWS = 4;
/** A pointer that rests this long is not about to click; rows may move again. */
const POINTER_REST_MS = 20_000;
const COLUMNS = ["agent", "queue", "state", "duration", "lanes", "silence", "marks", "listen"] as const;

export interface TableProps {
  live: Live;
  ids: readonly string[];
  hidden: number;
  selected: string | null;
  activeCall: string | null;
  onSelect(id: string): void;
  onListen(id: string): void;
  onHold(held: boolean): void;
  takeFocus(focus: () => void): void;
  clearFilter(): void;
}

function createHold(onHold: (held: boolean) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const leave = () => {
    clearTimeout(timer);
    onHold(false);
  };
  onCleanup(leave);
  return {
    leave,
    move(event: PointerEvent) {
      if (event.pointerType === "touch") return;
      clearTimeout(timer);
      onHold(true);
      timer = setTimeout(() => onHold(false), POINTER_REST_MS);
    },
  };
}

export function CallTable(props: TableProps) {
  let scroller: HTMLDivElement | undefined;
  const narrow = matchMedia("(max-width: 760px)");
  const [rowHeight, setRowHeight] = createSignal(narrow.matches ? NARROW_ROW_PX : ROW_PX);
  const [top, setTop] = createSignal(0);
  const [height, setHeight] = createSignal(800);
  const onNarrow = () => setRowHeight(narrow.matches ? NARROW_ROW_PX : ROW_PX);
  narrow.addEventListener("change", onNarrow);
  onCleanup(() => narrow.removeEventListener("change", onNarrow));
  const hold = createHold((held) => props.onHold(held));

  const first = createMemo(() => Math.max(0, Math.floor(top() / rowHeight()) - SPARE_ROWS));
  const count = createMemo(() => Math.ceil(height() / rowHeight()) + 2 * SPARE_ROWS);
  const inSight = createMemo(() => props.ids.slice(first(), first() + count()), [], {
    equals: (a, b) => a.length === b.length && a.every((id, place) => id === b[place]),
  });
  const places = createMemo(() => new Map(inSight().map((id, place) => [id, first() + place])));

  onMount(() => {
    if (!scroller) return;
    const body = scroller;
    const observer = new ResizeObserver(() => setHeight(body.clientHeight));
    observer.observe(body);
    onCleanup(() => observer.disconnect());
    props.takeFocus(() => body.focus({ preventScroll: true }));
  });
  // The selected row is brought into sight when the selection moves, not when rows do.
  createEffect((before: string | null) => {
    const { selected } = props;
    if (!selected || selected === before || !scroller) return selected;
    const place = props.ids.indexOf(selected) * rowHeight();
    if (place < scroller.scrollTop) scroller.scrollTop = place;
    // The column heads stay on top and cover this much of the rows.
    const heads = scroller.firstElementChild?.clientHeight ?? 0;
    const end = place + rowHeight() + heads - scroller.clientHeight;
    if (end > scroller.scrollTop) scroller.scrollTop = end;
    return selected;
  }, null);

  return (
    <div
      ref={scroller}
      class="rows"
      role="grid"
      tabindex={0}
      aria-label={t("calls.title")}
      aria-rowcount={props.ids.length + 1}
      aria-activedescendant={props.selected && places().has(props.selected) ? rowId(props.selected) : undefined}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onPointerMove={hold.move}
      onPointerLeave={hold.leave}
    >
      <Columns />
      <Show when={props.ids.length} fallback={<Empty {...props} />}>
        <div class="all" role="rowgroup" style={{ height: `${props.ids.length * rowHeight()}px` }}>
          <For each={inSight()}>
            {(id) => (
              <CallRow
                id={id}
                live={props.live}
                place={places().get(id) ?? 0}
                rowHeight={rowHeight()}
                selected={props.selected === id}
                active={props.activeCall === id}
                onSelect={() => props.onSelect(id)}
                onListen={() => props.onListen(id)}
              />
            )}
          </For>
        </div>
      </Show>
    </div>
  );
}

function Columns() {
  return (
    <div class="columns" role="row" aria-rowindex={1}>
      <For each={COLUMNS}>
        {(column) => (
          <span class={`c-${column === "duration" ? "time" : column}`} role="columnheader">
            <span class="text" classList={{ unseen: column === "listen" }}>
              {t(`col.${column}`)}
            </span>
            <Show when={column === "lanes"}>
              <span class="key" data-side="agent">
                {t("side.agent")}
              </span>
              <span class="key" data-side="customer">
                {t("side.customer")}
              </span>
            </Show>
          </span>
        )}
      </For>
    </div>
  );
}

function Empty(props: TableProps) {
  return (
    <Show
      when={props.live.loaded()}
      fallback={
        <div class="empty" role="row">
          <span role="gridcell">{t("calls.loading")}</span>
        </div>
      }
    >
      <div class="empty" role="row">
        <div role="gridcell">
          <strong>{props.hidden ? t("calls.noMatch.title") : t("calls.empty.title")}</strong>
          <p>{props.hidden ? tn("calls.noMatch.text", props.hidden) : t("calls.empty.text")}</p>
          <Show when={props.hidden}>
            <p>
              <button type="button" class="button" onClick={() => props.clearFilter()}>
                {t("calls.filterClear")}
              </button>
            </p>
          </Show>
        </div>
      </div>
    </Show>
  );
}
