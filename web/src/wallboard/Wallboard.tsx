/** For a screen on the wall: what is wrong now, in letters read from the other end of the room. */
import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { level } from "../core/board";
import { durationOf } from "../core/facts";
import { clockTime, duration } from "../core/format";
import { fitName, gridFor, wallPage } from "../core/tiles";
import { t, told } from "../strings";
import { createLive, type Live } from "../ui/live";

const LEVELS = ["", "warn", "alert", "critical"] as const;

export function Wallboard() {
  const live = createLive();
  const alerting = createMemo(
    () => {
      live.pulse();
      return live.order().filter((id) => {
        const call = live.calls().get(id);
        return call !== undefined && level(call) > 0;
      });
    },
    [],
    { equals: (a, b) => a.length === b.length && a.every((id, place) => id === b[place]) },
  );
  const shown = createMemo(() => wallPage(alerting(), live.second() * 1000));
  return (
    <div class="wall" data-feed={live.state()}>
      <Top live={live} alerts={alerting().length} page={shown().page} pages={shown().pages} />
      <main>
        <h1 class="unseen">{t("wall.title")}</h1>
        <Show when={live.loaded()} fallback={<p class="waiting">{t("wall.connecting")}</p>}>
          <Show when={alerting().length} fallback={<Calm live={live} />}>
            <Tiles live={live} ids={shown().ids} />
          </Show>
        </Show>
      </main>
    </div>
  );
}

function Top(props: { live: Live; alerts: number; page: number; pages: number }) {
  const stale = () => {
    if (props.live.state() === "stale") return t("wall.stale", { time: duration(props.live.silentFor()) });
    const nodes = props.live.staleNodes();
    return nodes.length ? t("wall.partly", { nodes: nodes.join(", ") }) : "";
  };
  return (
    <header class="top">
      <span>
        {t("wall.live")} <b>{props.live.order().length}</b>
      </span>
      <span>
        {t("wall.alerts")} <b>{props.alerts}</b>
      </span>
      <span class="quiet">{props.pages > 1 ? t("wall.page", { page: props.page, pages: props.pages }) : ""}</span>
      <span class="stale" role="status">
        {stale()}
      </span>
      <span class="clock">
        {clockTime(props.live.state() === "live" ? props.live.now() : Date.now() + 0 * props.live.silentFor())}
      </span>
    </header>
  );
}

function Tiles(props: { live: Live; ids: readonly string[] }) {
  const grid = () => gridFor(props.ids.length);
  return (
    <ul class="tiles" data-columns={grid().columns} data-rows={grid().rows}>
      <For each={props.ids}>
        {(id) => <Tile id={id} live={props.live} columns={grid().columns} rows={grid().rows} />}
      </For>
    </ul>
  );
}

const ruler = document.createElement("canvas").getContext("2d");

function Tile(props: { id: string; live: Live; columns: number; rows: number }) {
  let name: HTMLSpanElement | undefined;
  const [width, setWidth] = createSignal(0);
  onMount(() => {
    if (!name) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    observer.observe(name);
    onCleanup(() => observer.disconnect());
  });
  const call = () => props.live.call(props.id);
  const worst = () => call()?.alerts[0];
  const agent = createMemo(() => {
    const full = call()?.view.agent_name || t("calls.unassigned");
    const space = width();
    if (!name || !ruler || !space) return full;
    props.columns;
    const style = getComputedStyle(name);
    ruler.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    return fitName(full, (text) => ruler.measureText(text).width <= space);
  });
  const running = createMemo(() => {
    const known = call();
    const alert = worst();
    return known && alert ? duration(props.live.nowOf(known) - alert.since_ms) : "";
  });
  const rule = () => {
    const alert = worst();
    return alert ? told("rule", alert.rule) : t("mark.proof");
  };
  const stale = () => {
    const known = call();
    return known !== undefined && props.live.stale(known);
  };
  const severity = () => LEVELS[level(call() ?? ({ view: { proof_failures: 0 }, alerts: [] } as never))];
  return (
    <li class="tile" data-severity={severity()} data-stale={stale() ? "" : undefined}>
      <span ref={name} class="name cut">
        {agent()}
      </span>
      <span class="line">
        <span class="seconds">{running()}</span>
        <span class="what">
          <span class="rule cut">{rule()}</span>
          <span class="queue cut">{call()?.view.queue_name}</span>
        </span>
      </span>
    </li>
  );
}

function Calm(props: { live: Live }) {
  const counts = createMemo(() => {
    props.live.pulse();
    const found = { talking: 0, hold: 0, ringing: 0, longest: 0 };
    for (const call of props.live.calls().values()) {
      const { state } = call.view;
      if (state === "talking" || state === "transfer") found.talking++;
      else if (state === "hold") found.hold++;
      else if (state === "ringing" || state === "early") found.ringing++;
      found.longest = Math.max(found.longest, durationOf(call, props.live.now()));
    }
    return found;
  });
  return (
    <div class="calm">
      <p class="none">{t("wall.calm")}</p>
      <dl>
        <div>
          <dd>{counts().talking}</dd>
          <dt>{t("wall.talking")}</dt>
        </div>
        <div>
          <dd>{counts().hold}</dd>
          <dt>{t("wall.hold")}</dt>
        </div>
        <div>
          <dd>{counts().ringing}</dd>
          <dt>{t("wall.ringing")}</dt>
        </div>
        <div>
          <dd>{duration(counts().longest)}</dd>
          <dt>{t("wall.longest")}</dt>
        </div>
      </dl>
    </div>
  );
}
