/** Asks the server whether every journal still chains. */
import { createSignal, For, Show } from "solid-js";
import { api, type Verification } from "../core/api";
import { t, tn } from "../strings";
import { reasonOf } from "./Audit";

export function Verify() {
  const [busy, setBusy] = createSignal(false);
  const [result, setResult] = createSignal<Verification | null>(null);
  const [problem, setProblem] = createSignal("");
  const verify = async () => {
    setBusy(true);
    setProblem("");
    try {
      setResult(await api.verify());
    } catch (error) {
      setProblem(reasonOf(error));
    }
    setBusy(false);
  };
  return (
    <div class="verify">
      <button type="button" class="button" disabled={busy()} onClick={() => void verify()}>
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
