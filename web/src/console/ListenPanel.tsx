/** The call in the ear: who, what was measured, three strips of sound, and the controls to speak. */
import { Slider } from "@kobalte/core/slider";
import { createMemo, For, type JSX, Show } from "solid-js";
import type { LiveCall } from "../core/board";
import { durationOf, refusal } from "../core/facts";
import { duration } from "../core/format";
import type { Side } from "../core/sound";
import { FIG } from "../core/wire";
import { t, told } from "../strings";
import { Lanes } from "../ui/Lanes";
import type { Live } from "../ui/live";
import { Marks } from "../ui/Marks";
import { Meter } from "../ui/Meter";
import type { ListenSession } from "./session";
import { TalkControls } from "./TalkControls";

export interface PanelProps {
  live: Live;
  session: ListenSession;
  /** The call the panel is about: the one listened to, else the selected one. */
  call: string | null;
  onListen(id: string): void;
}

export function ListenPanel(props: PanelProps) {
  const listens = () => props.session.view().call === props.call && props.session.view().state !== "idle";
  return (
    <aside class="panel" aria-label={t("listen.title")} data-listening={listens() ? "" : undefined}>
      <Show when={props.call} keyed fallback={<Nothing />}>
        {(id) => <CallPanel {...props} id={id} listens={listens()} />}
      </Show>
    </aside>
  );
}

function Nothing() {
  return (
    <div class="nothing">
      <div class="empty">
        <strong>{t("listen.none.title")}</strong>
        <p>{t("listen.none.text")}</p>
      </div>
      <Keys />
    </div>
  );
}

function Keys() {
  const keys = (): readonly (readonly [JSX.Element, string])[] => [
    [
      <>
        <kbd>↑</kbd> <kbd>↓</kbd>
      </>,
      t("keys.select"),
    ],
    [<kbd>{t("keys.enter")}</kbd>, t("keys.listen")],
    [<kbd>{t("keys.space")}</kbd>, t("keys.whisper")],
    [<kbd>{t("keys.esc")}</kbd>, t("keys.stop")],
  ];
  return (
    <dl class="keys" aria-label={t("keys.title")}>
      <For each={keys()}>
        {([key, text]) => (
          <div>
            <dt>{key}</dt>
            <dd>{text}</dd>
          </div>
        )}
      </For>
    </dl>
  );
}

function CallPanel(props: PanelProps & { id: string; listens: boolean }) {
  // The last state of a call that ended stays readable.
  const call = createMemo<LiveCall | undefined>((before) => props.live.call(props.id) ?? before, undefined, {
    equals: false,
  });
  return <Show when={call()}>{(known) => <Known {...props} live_call={known()} />}</Show>;
}

function Known(props: PanelProps & { id: string; listens: boolean; live_call: LiveCall }) {
  const version = createMemo((count: number) => {
    props.live.call(props.id);
    return count + 1;
  }, 0);
  const view = () => {
    version();
    return props.live_call.view;
  };
  const agent = () => view().agent_name || t("calls.unassigned");
  const hears = () => props.listens && ["listening", "connecting", "reconnecting"].includes(props.session.view().state);
  const refused = (capability: "listen" | "whisper" | "barge") =>
    refusal(props.live.call(props.id)?.view, props.live.me(), capability);
  return (
    <>
      <div class="who">
        <h2 class="cut">{agent()}</h2>
        <span class="figure">{duration(durationOf(props.live_call, props.live.nowOf(props.live_call)))}</span>
        <span class="quiet cut">
          {view().queue_name || t("calls.noQueue")} · {view().customer}
        </span>
        <span class="alerts">
          <Marks call={props.live_call} version={version()} now={props.live.nowOf(props.live_call)} />
        </span>
      </div>
      <div class="tall-lanes">
        <Lanes call={props.live_call} version={version()} second={props.live.secondOf(props.live_call)} />
      </div>
      <Facts call={props.live_call} version={version()} />
      <Status session={props.session} listens={props.listens} hears={hears()} />
      <Show
        when={hears()}
        fallback={
          <div class="start">
            <button
              type="button"
              class="button main"
              aria-disabled={refused("listen") !== ""}
              onClick={() => refused("listen") || props.onListen(props.id)}
            >
              {t("listen.action")}
            </button>
            <Show when={!(props.listens && props.session.view().state === "ended")}>
              <p class="small quiet">
                {refused("listen") ? told("reason", refused("listen")) : t("listen.selected.text")}
              </p>
            </Show>
            <Keys />
          </div>
        }
      >
        <div class="strips">
          <For each={props.session.sides}>{(side) => <StripControls side={side} session={props.session} />}</For>
          <button
            type="button"
            class="button"
            aria-pressed={props.session.spread()}
            onClick={() => props.session.toggleSpread()}
          >
            {t("side.spread")}
          </button>
        </div>
        <TalkControls
          session={props.session}
          agent={agent()}
          whisperRefused={refused("whisper")}
          bargeRefused={refused("barge")}
        />
      </Show>
    </>
  );
}

function Status(props: { session: ListenSession; listens: boolean; hears: boolean }) {
  // The session waits for the bridge of its call; the sound comes back without anybody's doing.
  const waits = () => (props.session.told()?.refused === "bridge_away" ? "bridge_away" : "");
  const text = () => {
    const { state, transport, reason } = props.session.view();
    if (!props.listens || state === "idle") return "";
    if (state === "failed") return `${t("listen.failed")}: ${told("reason", reason)}`;
    if (state === "listening") {
      const why = waits() || reason;
      return why ? told("reason", why) : transport ? t(`listen.transport.${transport}`) : "";
    }
    return t(`listen.${state}`);
  };
  const heard = () => (props.listens ? (props.session.told()?.heard_ms ?? 0) : 0);
  return (
    <div class="now" classList={{ none: !text() }}>
      <p class="status" role="status" data-state={props.listens ? props.session.view().state : "idle"}>
        <span>{text()}</span>
        <span class="quiet small">{heard() ? t("listen.heard", { time: duration(heard()) }) : ""}</span>
      </p>
      <Show when={props.hears}>
        <button type="button" class="button stop" onClick={() => props.session.stop()}>
          {t("listen.stop")} <kbd>{t("keys.esc")}</kbd>
        </button>
      </Show>
    </div>
  );
}

function Facts(props: { call: LiveCall; version: number }) {
  const figure = (place: number) => {
    props.version;
    return Number(props.call.figures?.[place as 1] ?? 0);
  };
  const share = (place: number) => {
    const spoken = figure(FIG.agentTalk) + figure(FIG.customerTalk);
    return spoken ? `${Math.round((100 * figure(place)) / spoken)} %` : "\u2013";
  };
  const rows = () =>
    [
      [t("figure.agent"), share(FIG.agentTalk)],
      [t("figure.customer"), share(FIG.customerTalk)],
      [t("figure.longest"), duration(figure(FIG.longestSilence))],
      [t("figure.overlap"), duration(figure(FIG.overlap))],
      [t("figure.interruptions"), String(figure(FIG.interruptions))],
      [t("figure.hold"), duration(figure(FIG.hold))],
    ] as const;
  return (
    <dl class="facts">
      {/* Six fixed places: only the numbers are written again. */}
      {[0, 1, 2, 3, 4, 5].map((place) => (
        <div>
          <dt>{rows()[place]?.[0]}</dt>
          <dd>{rows()[place]?.[1]}</dd>
        </div>
      ))}
    </dl>
  );
}

function StripControls(props: { side: Side; session: ListenSession }) {
  const name = () => t(`side.${props.side}`);
  return (
    <div class="strip" data-side={props.side}>
      <span class="name">{name()}</span>
      <Meter side={props.side} label={t("side.level", { side: name() })} read={() => props.session.level(props.side)} />
      <Slider
        class="slider"
        minValue={0}
        maxValue={200}
        step={5}
        value={[Math.round(props.session.strips[props.side].volume * 100)]}
        onChange={([value]) => props.session.setVolume(props.side, (value ?? 100) / 100)}
        getValueLabel={({ values }) => `${values[0]} %`}
      >
        <Slider.Track class="track">
          <Slider.Fill class="fill" />
          <Slider.Thumb class="thumb" aria-label={t("side.volume", { side: name() })}>
            <Slider.Input />
          </Slider.Thumb>
        </Slider.Track>
      </Slider>
      <button
        type="button"
        class="button solo"
        aria-pressed={props.session.strips[props.side].solo}
        aria-label={t("side.soloLabel", { side: name() })}
        onClick={() => props.session.toggleSolo(props.side)}
      >
        {t("side.solo")}
      </button>
    </div>
  );
}
