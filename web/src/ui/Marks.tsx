/** The badges of a call: alerts with their running time, failed proof, listeners. */
import { For, Show } from "solid-js";
import type { LiveCall } from "../core/board";
import { duration } from "../core/format";
import { t, tn, told } from "../strings";

export function Marks(props: { call: LiveCall; version: unknown; now: number }) {
  const alerts = () => {
    props.version;
    return props.call.alerts;
  };
  const view = () => {
    props.version;
    return props.call.view;
  };
  const proof = () => view().proof_failures > 0 && !alerts().some((alert) => alert.rule === "proof");
  return (
    <span class="marks">
      <Show when={proof()}>
        <span class="mark" data-severity="critical" title={t("mark.proof.text", { n: view().proof_failures })}>
          {t("mark.proof")}
        </span>
      </Show>
      <For each={alerts()}>
        {(alert) => (
          <span class="mark" data-severity={alert.severity}>
            {told("rule", alert.rule)}
            <span>{duration(props.now - alert.since_ms)}</span>
            <span class="unseen">{t(`severity.${alert.severity}`)}</span>
          </span>
        )}
      </For>
      <Show when={view().listeners > 0}>
        <span class="mark">{tn("mark.listening", view().listeners)}</span>
      </Show>
    </span>
  );
}
