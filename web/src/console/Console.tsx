/** The supervisor's page: every live call, worst first, and the one in the ear. */
import { createEffect, createMemo, createSignal, For, onCleanup, Show } from "solid-js";
import { level } from "../core/board";
import { refusal, searchText } from "../core/facts";
import { clockTime } from "../core/format";
import { t, tn } from "../strings";
import { FeedNotice, FeedSign } from "../ui/FeedSign";
import { Header } from "../ui/Header";
import { createLive, type Live } from "../ui/live";
import { CallTable } from "./CallTable";
import { Heard } from "./Heard";
import { bindKeys } from "./keys";
import { ListenPanel } from "./ListenPanel";
import { createSession } from "./session";

/** A web process that has just been started knows no calls until the nodes have told it; the sound does not wait for it. */
const GONE_AFTER_MS = 2_500;

/** Two reasons hold the order: the pointer and a key; it is free when neither does. */
function createOrderHold(live: Live) {
  const [pointer, setPointer] = createSignal(false);
  const [key, setKey] = createSignal(false);
  createEffect(() => {
    live.ranking.hold(pointer() || key());
    live.resort();
  });
  return { pointer, setPointer, setKey };
}

function createFilter(live: Live) {
  const [text, setText] = createSignal("");
  const [queue, setQueue] = createSignal("");
  const [onlyAlerts, setOnlyAlerts] = createSignal(false);
  const queues = createMemo(
    () => {
      live.pulse();
      const found = new Map<string, string>();
      for (const { view } of live.calls().values())
        if (view.queue) found.set(view.queue, view.queue_name || view.queue);
      return [...found].sort((a, b) => a[1].localeCompare(b[1]));
    },
    [],
    { equals: (a, b) => JSON.stringify(a) === JSON.stringify(b) },
  );
  const passes = (id: string) => {
    const call = live.calls().get(id);
    if (!call || (queue() && call.view.queue !== queue())) return false;
    if (onlyAlerts() && level(call) === 0) return false;
    return searchText(call.view).includes(text().trim().toLowerCase());
  };
  const ids = createMemo(() => {
    live.pulse();
    const order = live.order();
    return text() || queue() || onlyAlerts() ? order.filter(passes) : order;
  });
  const clear = () => {
    setText("");
    setQueue("");
    setOnlyAlerts(false);
  };
  return { text, setText, queue, setQueue, onlyAlerts, setOnlyAlerts, queues, ids, clear };
}

export function Console() {
  const live = createLive();
  const session = createSession(live);
  const hold = createOrderHold(live);
  const filter = createFilter(live);
  const [selected, setSelected] = createSignal<string | null>(null);
  let focusRows = () => {};
  let filterField: HTMLInputElement | undefined;

  const active = () => (["idle", "failed", "ended"].includes(session.view().state) ? null : session.view().call);
  // What the panel is about: what is in the ear; after that what is selected.
  const inPanel = () => active() ?? selected() ?? session.view().call;

  const listen = (id: string) => {
    const call = live.calls().get(id);
    if (!call || refusal(call.view, live.me(), "listen")) return;
    setSelected(id);
    focusRows();
    if (active() === id) session.stop();
    else session.listen(id);
  };
  const move = (step: number) => {
    const ids = filter.ids();
    const at = ids.indexOf(selected() ?? "");
    const next = ids[at < 0 ? 0 : Math.min(ids.length - 1, Math.max(0, at + step))];
    if (next) setSelected(next);
  };
  const missing = createMemo(() => {
    const { call } = session.view();
    live.pulse();
    return call && live.loaded() && live.state() === "live" && !live.calls().has(call) ? call : null;
  });
  createEffect(() => {
    const call = missing();
    if (!call) return;
    const timer = setTimeout(() => session.callGone(call), GONE_AFTER_MS);
    onCleanup(() => clearTimeout(timer));
  });
  createEffect(() => {
    const { state, mode } = session.talk();
    const speaking = state === "speaking" ? `${mode === "barge" ? t("barge.on") : t("whisper.hold")} - ` : "";
    document.title = `${speaking}${t("calls.title")} - ${t("app.name")}`;
  });
  bindKeys({
    move,
    listen: () => {
      const id = selected();
      if (id && active() !== id) listen(id);
    },
    stop: () => session.stop(),
    press: () => mayWhisper() && session.press("whisper"),
    release: () => session.talk().mode === "whisper" && session.release(),
    filter: () => filterField?.focus(),
    held: (down) => hold.setKey(down),
  });
  const mayWhisper = () => {
    const id = active();
    return id !== null && !refusal(live.calls().get(id)?.view, live.me(), "whisper") && session.barge() !== "latched";
  };
  const returnFocus = (event: MouseEvent) => {
    // After a mouse click on a button Space must whisper, not click the button again.
    if (event.detail === 0 || !(event.target instanceof Element)) return;
    const button = event.target.closest(".panel button");
    // A button that opens a dialog hands the focus to the dialog.
    if (button && !button.hasAttribute("aria-haspopup")) focusRows();
  };
  addEventListener("click", returnFocus);
  onCleanup(() => removeEventListener("click", returnFocus));

  return (
    <div class="console" data-feed={live.state()}>
      <a class="unseen skip" href="#calls">
        {t("nav.skip")}
      </a>
      <Header page="calls" name={live.me()?.name ?? ""} mayAudit={live.me()?.rights.includes("audit") ?? false}>
        <FeedSign live={live} />
        <span class="clock quiet">{clockTime(live.now())}</span>
      </Header>
      <FeedNotice live={live} />
      <div class="body">
        <main id="calls">
          <h1 class="unseen">{t("calls.title")}</h1>
          <Bar live={live} filter={filter} held={hold.pointer()} field={(field) => (filterField = field)} />
          <CallTable
            live={live}
            ids={filter.ids()}
            hidden={live.order().length - filter.ids().length}
            selected={selected()}
            activeCall={active()}
            onSelect={setSelected}
            onListen={listen}
            onHold={hold.setPointer}
            takeFocus={(focus) => (focusRows = focus)}
            clearFilter={filter.clear}
          />
        </main>
        <ListenPanel live={live} session={session} call={inPanel()} onListen={listen} />
      </div>
    </div>
  );
}

function Bar(props: {
  live: Live;
  filter: ReturnType<typeof createFilter>;
  held: boolean;
  field: (field: HTMLInputElement) => void;
}) {
  const total = () => props.live.order().length;
  const alerting = createMemo(() => {
    props.live.pulse();
    let count = 0;
    for (const call of props.live.calls().values()) if (level(call) > 0) count++;
    return count;
  });
  return (
    <div class="bar">
      <input
        ref={props.field}
        class="field"
        type="search"
        placeholder={t("calls.filter")}
        aria-label={t("calls.filter")}
        value={props.filter.text()}
        onInput={(event) => props.filter.setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          props.filter.setText("");
          event.currentTarget.blur();
        }}
      />
      <select
        class="field"
        aria-label={t("calls.queue")}
        value={props.filter.queue()}
        onChange={(event) => props.filter.setQueue(event.currentTarget.value)}
      >
        <option value="">{t("calls.allQueues")}</option>
        <For each={props.filter.queues()}>{([id, name]) => <option value={id}>{name}</option>}</For>
      </select>
      <button
        type="button"
        class="button"
        aria-pressed={props.filter.onlyAlerts()}
        onClick={() => props.filter.setOnlyAlerts((only) => !only)}
      >
        {t("calls.onlyAlerts")}
      </button>
      <Heard />
      <span class="counts quiet">
        <span class="held">{props.held ? t("calls.held") : ""}</span>
        <Show when={props.live.loaded()}>
          <span>{tn("calls.count", total())}</span>
          <span>{tn("calls.alerts", alerting())}</span>
        </Show>
      </span>
    </div>
  );
}
