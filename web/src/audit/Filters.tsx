/** Which entries: by person, kind and day. */
import { createSignal, For } from "solid-js";
import { dayStart, KINDS } from "../core/trail";
import { t } from "../strings";
import type { EntryList } from "./Audit";

export function Filters(props: { list: EntryList }) {
  const [user, setUser] = createSignal("");
  const [from, setFrom] = createSignal("");
  const [to, setTo] = createSignal("");
  const show = () => props.list.show({ user: user().trim(), from_ms: dayStart(from()), to_ms: dayStart(to(), 1) });
  return (
    <form
      class="filters"
      onSubmit={(event) => {
        event.preventDefault();
        show();
      }}
    >
      <select
        class="field"
        aria-label={t("audit.kind")}
        value={props.list.query().kind ?? ""}
        onChange={(event) => props.list.show({ kind: event.currentTarget.value })}
      >
        <For each={KINDS}>{(kind) => <option value={kind}>{t(`kind.${kind}`)}</option>}</For>
        <option value="">{t("kind.all")}</option>
      </select>
      <input
        class="field"
        type="search"
        placeholder={t("audit.user")}
        aria-label={t("audit.user")}
        value={user()}
        onInput={(event) => setUser(event.currentTarget.value)}
      />
      <label>
        <span class="quiet small">{t("audit.from")}</span>
        <input
          class="field"
          type="date"
          value={from()}
          max={to() || undefined}
          onInput={(event) => setFrom(event.currentTarget.value)}
        />
      </label>
      <label>
        <span class="quiet small">{t("audit.to")}</span>
        <input
          class="field"
          type="date"
          value={to()}
          min={from() || undefined}
          onInput={(event) => setTo(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="button">
        {t("audit.apply")}
      </button>
    </form>
  );
}
