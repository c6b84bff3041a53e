/** The console's keys: up, down, Enter, Space held, Escape, slash. */
import { onCleanup } from "solid-js";

export interface KeyActions {
  move(step: number): void;
  listen(): void;
  stop(): void;
  press(): void;
  release(): void;
  filter(): void;
  /** A key is down: rows must not move. */
  held(down: boolean): void;
}

/** Controls that use the key themselves. */
function usesKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("[role=alertdialog], [role=dialog]")) return true;
  if (target.matches("input:not([type=range]), textarea, select")) return key !== "Escape";
  if (key === " " || key === "Enter") return target.matches("button, a, summary");
  return target.matches("input[type=range], [role=slider]") && key.startsWith("Arrow");
}

export function bindKeys(actions: KeyActions): void {
  let space = false;
  const down = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey || usesKey(event.target, event.key)) return;
    const run: Record<string, () => void> = {
      ArrowDown: () => actions.move(1),
      ArrowUp: () => actions.move(-1),
      Enter: () => actions.listen(),
      Escape: () => actions.stop(),
      "/": () => actions.filter(),
      " ": () => {
        if (event.repeat || space) return;
        space = true;
        actions.press();
      },
    };
    const action = run[event.key];
    if (!action) return;
    event.preventDefault();
    actions.held(true);
    action();
  };
  const up = (event: KeyboardEvent) => {
    actions.held(false);
    if (event.key !== " " || !space) return;
    space = false;
    event.preventDefault();
    actions.release();
  };
  const lost = () => {
    actions.held(false);
    space = false;
  };
  addEventListener("keydown", down);
  addEventListener("keyup", up);
  addEventListener("blur", lost);
  onCleanup(() => {
    removeEventListener("keydown", down);
    removeEventListener("keyup", up);
    removeEventListener("blur", lost);
  });
}
