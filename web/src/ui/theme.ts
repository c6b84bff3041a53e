/** Dark or light: the system's, until the person chooses. */
import { createSignal } from "solid-js";

export type Theme = "dark" | "light";
const KEY = "livemon.theme";
const systemLight = matchMedia("(prefers-color-scheme: light)");

function inForce(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "dark" || chosen === "light") return chosen;
  return systemLight.matches ? "light" : "dark";
}

const [theme, setTheme] = createSignal<Theme>(inForce());
systemLight.addEventListener("change", () => setTheme(inForce()));

export { theme };

export function switchTheme(): void {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage can be blocked; the choice then lasts as long as the page.
  }
  setTheme(next);
}

/** Colours of the token file for canvases; read again after the theme changed. */
export function token(name: string): string {
  theme();
  const colours = read.get(theme()) ?? new Map<string, string>();
  read.set(theme(), colours);
  let value = colours.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    colours.set(name, value);
  }
  return value;
}
const read = new Map<Theme, Map<string, string>>();
