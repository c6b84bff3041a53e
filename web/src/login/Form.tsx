/** A column of labelled fields with one button, and one place for what went wrong. */
import { createSignal, For, type JSX, Show } from "solid-js";
import { ApiError } from "../core/api";
import { t, told } from "../strings";

export interface Field {
  name: string;
  label: string;
  type: "text" | "password";
  complete: string;
  value?: string;
}

export function Form(props: {
  title: string;
  text?: string;
  fields: readonly Field[];
  submit: string;
  busy: string;
  /** Rejects with an `ApiError`, or returns a sentence that says what to correct. */
  send: (values: Record<string, string>) => Promise<string | undefined>;
  children?: JSX.Element;
}) {
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const values = Object.fromEntries(
      [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value)]),
    );
    setBusy(true);
    setProblem("");
    try {
      setProblem((await props.send(values)) ?? "");
    } catch (error) {
      setProblem(told("reason", error instanceof ApiError ? error.id : "unreachable"));
    }
    setBusy(false);
  };
  return (
    <main class="login">
      <form onSubmit={(event) => void submit(event)}>
        <span class="brand">{t("app.name")}</span>
        <h1>{props.title}</h1>
        <Show when={props.text}>
          <p class="quiet">{props.text}</p>
        </Show>
        <For each={props.fields}>
          {(field, place) => (
            <label>
              <span>{field.label}</span>
              <input
                class="field"
                name={field.name}
                type={field.type}
                autocomplete={field.complete as AutoFill}
                value={field.value ?? ""}
                required
                autofocus={place() === 0}
              />
            </label>
          )}
        </For>
        <p class="problem" role="alert">
          {problem()}
        </p>
        <button type="submit" class="button main" disabled={busy()}>
          {busy() ? props.busy : props.submit}
        </button>
        {props.children}
      </form>
    </main>
  );
}
