/** The two ways to speak. Both keep their size in every state, so that nothing else on the page moves. */
import { AlertDialog } from "@kobalte/core/alert-dialog";
import { createSignal, type JSX, Match, Show, Switch } from "solid-js";
import type { TalkMode } from "../core/talk";
import { t, told } from "../strings";
import { Meter } from "../ui/Meter";
import type { ListenSession } from "./session";

export interface TalkProps {
  session: ListenSession;
  agent: string;
  whisperRefused: string;
  bargeRefused: string;
}

/** A button that is on exactly as long as a finger, a mouse button or Space is on it. */
function HoldButton(props: {
  class: string;
  disabled: boolean;
  on: boolean;
  label?: string;
  press: () => void;
  release: () => void;
  children: JSX.Element;
}) {
  const up = () => props.release();
  return (
    <button
      type="button"
      class={props.class}
      aria-disabled={props.disabled}
      aria-pressed={props.on}
      onPointerDown={(event) => {
        if (props.disabled || event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        props.press();
      }}
      onPointerUp={up}
      onPointerCancel={up}
      onLostPointerCapture={up}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (event.key !== " " && event.key !== "Enter") return;
        event.preventDefault();
        event.stopPropagation();
        if (!event.repeat && !props.disabled) props.press();
      }}
      onKeyUp={(event) => {
        if (event.key !== " " && event.key !== "Enter") return;
        event.preventDefault();
        up();
      }}
      onBlur={up}
    >
      {props.children}
    </button>
  );
}

function Received(props: { session: ListenSession }) {
  return (
    <span class="received">
      <Meter
        side="on-fill"
        label={t("whisper.level")}
        read={() => props.session.whisperLevel()}
        written={(level) => t("whisper.levelIs", { level })}
      />
    </span>
  );
}

export function TalkControls(props: TalkProps) {
  const talk = () => props.session.talk();
  const in_ = (mode: TalkMode, ...states: string[]) => talk().mode === mode && states.includes(talk().state);
  const latched = () => props.session.barge() === "latched";
  const blocked = (refused: string, mode: TalkMode) => refused !== "" && !in_(mode, "keying", "speaking");
  return (
    <div class="talk">
      <HoldButton
        class={`hold whisper ${in_("whisper", "speaking") ? "on" : ""}`}
        disabled={blocked(props.whisperRefused, "whisper") || latched()}
        on={in_("whisper", "keying", "speaking")}
        press={() => props.session.press("whisper")}
        release={() => talk().mode === "whisper" && props.session.release()}
      >
        <Switch
          fallback={
            <>
              <strong>
                {t("whisper.hold")} <kbd>{t("keys.space")}</kbd>
              </strong>
              <span class="small">
                <Show
                  when={talk().mode === "whisper" && talk().reason}
                  fallback={latched() ? t("whisper.notNow") : t("whisper.hint", { agent: props.agent })}
                >
                  {(reason) => told("reason", reason())}
                </Show>
              </span>
            </>
          }
        >
          <Match when={blocked(props.whisperRefused, "whisper")}>
            <strong>{t("whisper.none")}</strong>
            <span class="small">{told("reason", props.whisperRefused)}</span>
          </Match>
          <Match when={in_("whisper", "asking")}>
            <strong>{t("whisper.asking")}</strong>
          </Match>
          <Match when={in_("whisper", "keying")}>
            <strong>{t("whisper.keying")}</strong>
          </Match>
          <Match when={in_("whisper", "speaking")}>
            <strong>{t("whisper.on", { agent: props.agent })}</strong>
            <Received session={props.session} />
          </Match>
        </Switch>
      </HoldButton>
      <div class="barge">
        <Show when={props.session.barge() !== "closed"} fallback={<BargeDoor {...props} />}>
          <BargeControls {...props} />
        </Show>
      </div>
    </div>
  );
}

function BargeControls(props: TalkProps) {
  const talk = () => props.session.talk();
  const on = () => talk().mode === "barge" && talk().state === "speaking";
  const latched = () => props.session.barge() === "latched";
  return (
    <>
      <HoldButton
        class={`hold both ${on() ? "on" : ""}`}
        disabled={latched()}
        on={on()}
        press={() => props.session.press("barge")}
        release={() => talk().mode === "barge" && !latched() && props.session.release()}
      >
        <Show
          when={on()}
          fallback={
            <>
              <strong>{t("barge.hold")}</strong>
              <span class="small">
                <Show when={talk().mode === "barge" && talk().reason} fallback={t("barge.ready")}>
                  {(reason) => told("reason", reason())}
                </Show>
              </span>
            </>
          }
        >
          <strong>{t("barge.on")}</strong>
          <Received session={props.session} />
        </Show>
      </HoldButton>
      <div class="pair">
        <button
          type="button"
          class="button"
          aria-pressed={latched()}
          onClick={() => (latched() ? props.session.release() : props.session.latch())}
        >
          {latched() ? t("barge.unlatch") : t("barge.latch")}
        </button>
        <button type="button" class="button" onClick={() => props.session.disarm()}>
          {t("barge.leave")}
        </button>
      </div>
    </>
  );
}

function BargeDoor(props: TalkProps) {
  const [open, setOpen] = createSignal(false);
  return (
    <AlertDialog open={open()} onOpenChange={setOpen}>
      <button
        type="button"
        class="button"
        aria-haspopup="dialog"
        aria-disabled={props.bargeRefused !== ""}
        onClick={() => props.bargeRefused || setOpen(true)}
      >
        {props.bargeRefused ? t("barge.none") : `${t("barge.open")}\u2026`}
      </button>
      <span class="small quiet">{props.bargeRefused ? told("reason", props.bargeRefused) : t("barge.door")}</span>
      <AlertDialog.Portal>
        <AlertDialog.Overlay class="overlay" />
        <AlertDialog.Content class="dialog">
          <AlertDialog.Title>{t("barge.title")}</AlertDialog.Title>
          <AlertDialog.Description>{t("barge.text", { agent: props.agent })}</AlertDialog.Description>
          <div class="actions">
            <AlertDialog.CloseButton class="button" aria-label={t("barge.cancel")}>
              {t("barge.cancel")}
            </AlertDialog.CloseButton>
            <button
              type="button"
              class="button danger"
              onClick={() => {
                setOpen(false);
                props.session.arm();
              }}
            >
              {t("barge.confirm")}
            </button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog>
  );
}
