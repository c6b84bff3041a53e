/** Who listened to whom, when and for how long; and the proof that nobody changed the record. */
import { createResource, createSignal, onMount, Show } from "solid-js";
import { ApiError, type AuditEntry, type AuditQuery, api } from "../core/api";
import type { Me } from "../core/wire";
import { t, told } from "../strings";
import { Header } from "../ui/Header";
import { Entries } from "./Entries";
import { Filters } from "./Filters";
import { Verify } from "./Verify";

const PAGE = 50;

export type Wanted = Pick<AuditQuery, "user" | "kind" | "call" | "from_ms" | "to_ms">;
export type EntryList = ReturnType<typeof createEntries>;

export function reasonOf(error: unknown): string {
  return told("reason", error instanceof ApiError ? error.id : "unreachable");
}

function createEntries() {
  const [entries, setEntries] = createSignal<readonly AuditEntry[]>([]);
  const [next, setNext] = createSignal("");
  const [state, setState] = createSignal<"loading" | "ready" | "failed">("loading");
  const [problem, setProblem] = createSignal("");
  // Anchors come every minute and sign-ins all day; the page is about who listened.
  const [query, setQuery] = createSignal<Wanted>({ kind: "listen." });
  let wish = 0;
  const load = async (before: string) => {
    const mine = ++wish;
    setState("loading");
    try {
      const page = await api.audit({ ...query(), limit: PAGE, before });
      // An answer to an older choice must not replace the newer one's.
      if (mine !== wish) return;
      setEntries(before === "" ? page.entries : [...entries(), ...page.entries]);
      setNext(page.next);
      setState("ready");
    } catch (error) {
      if (mine !== wish) return;
      if (error instanceof ApiError && error.status === 401) location.assign("/login?next=/audit");
      setProblem(reasonOf(error));
      setState("failed");
    }
  };
  return {
    entries,
    next,
    state,
    problem,
    query,
    show(wanted: Wanted) {
      setQuery((before) => ({ ...before, ...wanted }));
      setEntries([]);
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
  return (
    <div class="audit">
      <Header page="audit" name={me()?.name ?? ""} mayAudit={true} />
      <main>
        <div class="title">
          <h1>{t("audit.title")}</h1>
          <Verify />
        </div>
        <Filters list={list} />
        <Show when={list.query().call}>
          <p class="one-call">
            {t("audit.oneCall")}
            <button type="button" class="button" onClick={() => list.show({ call: "", kind: "listen." })}>
              {t("audit.allCalls")}
            </button>
          </p>
        </Show>
        <Entries list={list} />
      </main>
    </div>
  );
}
