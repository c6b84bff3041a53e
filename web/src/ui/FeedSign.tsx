/** Says whether what is on the page is true now. */
import { Show } from "solid-js";
import { duration } from "../core/format";
import { t } from "../strings";
import type { Live } from "./live";

export function FeedSign(props: { live: Live }) {
  const text = () => {
    const state = props.live.state();
    if (state === "live") return t("feed.live");
    if (state === "stale") return t("feed.stale", { time: duration(props.live.silentFor()) });
    return t("feed.connecting");
  };
  return (
    <span class="pulse" data-state={props.live.state()} role="status">
      {text()}
    </span>
  );
}

/** A line over the calls when a part of them is not current. */
export function FeedNotice(props: { live: Live }) {
  return (
    <>
      <Show when={props.live.staleNodes().length > 0}>
        <p class="notice" role="alert">
          {t("feed.partly", { nodes: props.live.staleNodes().join(", ") })}
        </p>
      </Show>
      <Show when={props.live.bridges() === 0}>
        <p class="notice" role="alert">
          {t("feed.noBridge")}
        </p>
      </Show>
    </>
  );
}
