// Runs before the first paint, so that a chosen theme does not flash; a file of its own because the policy forbids inline scripts.
(() => {
  let chosen = new URLSearchParams(location.search).get("theme");
  try {
    chosen ??= localStorage.getItem("livemon.theme");
  } catch {
    // Storage can be blocked; the system's theme is used then.
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
