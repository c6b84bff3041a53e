/** The entries as sentences; each opens to what was really written. */
import { createSignal, For, Show } from "solid-js";
import type { AuditEntry } from "../core/api";
import { duration, stamp } from "../core/format";
import { members, toldBy } from "../core/trail";
import { t, told } from "../strings";
import type { EntryList } from "./Audit";

const COLUMNS = ["at", "user", "act", "agent", "heard", "spoken", "remote", "entry"] as const;

function word(entry: AuditEntry, member: string): string {
  const value = entry.fields[member];
  return typeof value === "string" ? value : "";
}

export function Entries(props: { list: EntryList }) {
  const list = props.list;
  return (
    <div class="entries" role="region" aria-label={t("audit.title")} tabindex={0}>
      <table>
        <thead>
          <tr>
            <For each={COLUMNS}>{(column) => <th class={column}>{t(`audit.col.${column}`)}</th>}</For>
          </tr>
        </thead>
        <tbody>
          <For each={list.entries()}>{(entry) => <Entry entry={entry} list={list} />}</For>
        </tbody>
      </table>
      <Foot list={list} />
    </div>
  );
}

function Entry(props: { entry: AuditEntry; list: EntryList }) {
  const [open, setOpen] = createSignal(false);
  const { entry } = props;
  const says = toldBy(entry);
  const name = `${entry.writer} ${entry.seq}`;
  return (
    <>
      <tr data-open={open() ? "" : undefined}>
        <td class="at" title={stamp(entry.at_ms)}>
          {stamp(entry.at_ms).slice(0, -4)}
        </td>
        <td class="user" title={word(entry, "user")}>
          {entry.user_name || word(entry, "name") || word(entry, "user") || word(entry, "login")}
        </td>
        <td class="act">
          {told("act", says.act)}
          <Show when={says.reason}>
            <span class="quiet small">{told("reason", says.reason)}</span>
          </Show>
          <Show when={says.leftMs !== null}>
            <span class="quiet small">{t("audit.left", { time: duration(says.leftMs ?? 0) })}</span>
          </Show>
        </td>
        <td class="agent" title={word(entry, "agent")}>
          {entry.agent_name || word(entry, "agent")}
          <span class="quiet small">{entry.queue_name || word(entry, "queue")}</span>
        </td>
        <td class="heard" data-label={t("audit.col.heard")}>
          {says.heardMs === null ? "" : duration(says.heardMs)}
        </td>
        <td class="spoken" data-label={t("audit.col.spoken")}>
          {says.spokenMs === null ? "" : duration(says.spokenMs)}
        </td>
        <td class="remote">{word(entry, "remote")}</td>
        <td class="entry">
          <button
            type="button"
            class="button plain small"
            aria-expanded={open()}
            aria-label={t("audit.details", { entry: name })}
            onClick={() => setOpen((is) => !is)}
          >
            {name}
          </button>
        </td>
      </tr>
      <Show when={open()}>
        <tr class="written">
          <td colspan={COLUMNS.length}>
            <Written {...props} />
          </td>
        </tr>
      </Show>
    </>
  );
}

/** Names and values are those of the journal, so they are not translated. */
function Written(props: { entry: AuditEntry; list: EntryList }) {
  const rows = () => [
    ["kind", props.entry.kind] as const,
    ...members(props.entry),
    ["hash", props.entry.hash] as const,
  ];
  const call = () => word(props.entry, "call");
  return (
    <>
      <dl class="small">
        <For each={rows()}>
          {([name, value]) => (
            <div>
              <dt class="quiet">{name}</dt>
              <dd>{value}</dd>
            </div>
          )}
        </For>
      </dl>
      <Show when={call() && !props.list.query().call}>
        <button type="button" class="button" onClick={() => props.list.show({ call: call(), kind: "" })}>
          {t("audit.callOnly")}
        </button>
      </Show>
    </>
  );
}

function Foot(props: { list: EntryList }) {
  const list = props.list;
  return (
    <>
      <Show when={list.state() === "loading" && list.entries().length === 0}>
        <p class="empty">{t("audit.loading")}</p>
      </Show>
      <Show when={list.state() === "failed"}>
        <div class="empty">
          <strong>{t("audit.failed")}</strong>
          <p>{list.problem()}</p>
          <p>
            <button type="button" class="button" onClick={() => list.again()}>
              {t("audit.retry")}
            </button>
          </p>
        </div>
      </Show>
      <Show when={list.state() === "ready" && list.entries().length === 0}>
        <div class="empty">
          <strong>{t("audit.empty.title")}</strong>
          <p>{t("audit.empty.text")}</p>
        </div>
      </Show>
      <Show when={list.state() !== "failed" && list.entries().length > 0}>
        <p class="foot">
          <Show when={list.next() !== ""} fallback={<span class="quiet">{t("audit.end")}</span>}>
            <button type="button" class="button" disabled={list.state() === "loading"} onClick={() => list.more()}>
              {t("audit.more")}
            </button>
          </Show>
        </p>
      </Show>
    </>
  );
}
