/** Who listened to whom, when and for how long; and the proof that nobody changed the record. */
import { createResource, createSignal, For, onMount, Show } from "solid-js";
import { ApiError, type AuditEntry, api, type Verification } from "../core/api";
import { stamp } from "../core/format";
import type { Me } from "../core/wire";
import { t, tn, told } from "../strings";
import { Header } from "../ui/Header";

const PAGE = 50;
/** Members with a column of their own. */
const IN_COLUMNS = new Set(["user", "call"]);

function reason(error: unknown): string {
  return told("reason", error instanceof ApiError ? error.id : "unreachable");
}

function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What the entry says besides its columns, as `name value` pairs. */
function details(entry: AuditEntry): string {
  return Object.entries(entry.fields)
    .filter(([name, value]) => !IN_COLUMNS.has(name) && text(value) !== "")
    .map(([name, value]) => `${name} ${text(value)}`)
    .join(", ");
}

function createEntries() {
  const [entries, setEntries] = createSignal<readonly AuditEntry[]>([]);
  const [next, setNext] = createSignal("");
  const [state, setState] = createSignal<"loading" | "ready" | "failed">("loading");
  const [problem, setProblem] = createSignal("");
  const [query, setQuery] = createSignal({ user: "", kind: "" });
  const load = async (before: string) => {
    setState("loading");
    try {
      const page = await api.audit({ ...query(), limit: PAGE, before });
      setEntries(before === "" ? page.entries : [...entries(), ...page.entries]);
      setNext(page.next);
      setState("ready");
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) location.assign("/login?next=/audit");
      setProblem(reason(error));
      setState("failed");
    }
  };
  return {
    entries,
    next,
    state,
    problem,
    show(user: string, kind: string) {
      setQuery({ user, kind });
      void load("");
    },
    more: () => void load(next()),
    again: () => void load(""),
  };
}

export function Audit() {
  const [me] = createResource<Me | null>(() => api.me().catch(() => null));
  const list = createEntries();
  onMount(() => list.again());
  const kinds = () => [...new Set(list.entries().map((entry) => entry.kind))].sort();
  const [known, setKnown] = createSignal<readonly string[]>([]);
  const allKinds = () => {
    // A filter must not make its own choices disappear.
    const merged = [...new Set([...known(), ...kinds()])].sort();
    if (merged.length !== known().length) queueMicrotask(() => setKnown(merged));
    return merged;
  };
  return (
    <div class="audit">
      <Header page="audit" name={me()?.name ?? ""} mayAudit={true} />
      <main>
        <div class="title">
          <h1>{t("audit.title")}</h1>
          <Filters kinds={allKinds()} show={list.show} />
        </div>
        <Verify />
        <Entries list={list} />
      </main>
    </div>
  );
}

function Filters(props: { kinds: readonly string[]; show: (user: string, kind: string) => void }) {
  const [user, setUser] = createSignal("");
  const [kind, setKind] = createSignal("");
  const submit = (event: Event) => {
    event.preventDefault();
    props.show(user().trim(), kind());
  };
  return (
    <form class="filters" onSubmit={submit}>
      <input
        class="field"
        placeholder={t("audit.user")}
        aria-label={t("audit.user")}
        value={user()}
        onInput={(event) => setUser(event.currentTarget.value)}
      />
      <select
        class="field"
        aria-label={t("audit.kind")}
        value={kind()}
        onChange={(event) => setKind(event.currentTarget.value)}
      >
        <option value="">{t("audit.anyKind")}</option>
        <For each={props.kinds}>{(name) => <option value={name}>{name}</option>}</For>
      </select>
      <button type="submit" class="button">
        {t("audit.apply")}
      </button>
    </form>
  );
}

function Verify() {
  const [busy, setBusy] = createSignal(false);
  const [result, setResult] = createSignal<Verification | null>(null);
  const [problem, setProblem] = createSignal("");
  const verify = async () => {
    setBusy(true);
    setProblem("");
    try {
      setResult(await api.verify());
    } catch (error) {
      setProblem(reason(error));
    }
    setBusy(false);
  };
  return (
    <div class="verify">
      <button type="button" class="button main" disabled={busy()} onClick={() => void verify()}>
        {busy() ? t("audit.verifying") : t("audit.verify")}
      </button>
      <div role="status">
        <Show when={problem()}>
          <p class="bad">{problem()}</p>
        </Show>
        <Show when={!problem() && result()}>
          {(found) => (
            <Show when={!found().ok} fallback={<p>{t("audit.ok")}</p>}>
              <p class="bad">{tn("audit.broken", found().problems.length)}</p>
              <ul>
                <For each={found().problems}>
                  {(problem) => (
                    <li>
                      {problem.journal} {problem.line}: {problem.text || problem.id}
                    </li>
                  )}
                </For>
              </ul>
            </Show>
          )}
        </Show>
      </div>
    </div>
  );
}

function Entries(props: { list: ReturnType<typeof createEntries> }) {
  const list = props.list;
  return (
    <div class="entries" role="region" aria-label={t("audit.title")} tabindex={0}>
      <table>
        <thead>
          <tr>
            <th>{t("audit.col.at")}</th>
            <th>{t("audit.col.kind")}</th>
            <th>{t("audit.col.user")}</th>
            <th>{t("audit.col.call")}</th>
            <th>{t("audit.col.details")}</th>
            <th class="entry">{t("audit.col.entry")}</th>
          </tr>
        </thead>
        <tbody>
          <For each={list.entries()}>
            {(entry) => (
              <tr>
                <td class="at">{stamp(entry.at_ms)}</td>
                <td>{entry.kind}</td>
                <td>{text(entry.fields.user)}</td>
                <td class="call" title={text(entry.fields.call)}>
                  {text(entry.fields.call).slice(-12)}
                </td>
                <td class="details">{details(entry)}</td>
                <td class="entry quiet">
                  {entry.writer} {entry.seq}
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <Show when={list.state() === "loading"}>
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
      <Show when={list.state() === "ready" && list.entries().length > 0}>
        <p class="foot">
          <Show when={list.next() !== ""} fallback={<span class="quiet">{t("audit.end")}</span>}>
            <button type="button" class="button" onClick={() => list.more()}>
              {t("audit.more")}
            </button>
          </Show>
        </p>
      </Show>
    </div>
  );
}
