/** The address inside this site that `wanted` names, or the console: a link must not send a signed-in person elsewhere. */
export function localPath(wanted: string | null): string {
  if (!wanted?.startsWith("/")) return "/";
  const url = new URL(wanted, "http://here.invalid");
  return url.host === "here.invalid" ? url.pathname + url.search : "/";
}

/** The WebSocket address of the fallback; one that begins with `:` is a port and path on this page's host. */
export function fallbackAddress(url: string, page: { protocol: string; hostname: string; href: string }): string {
  const scheme = page.protocol === "https:" ? "wss:" : "ws:";
  if (url.startsWith(":")) return `${scheme}//${page.hostname}${url}`;
  const whole = new URL(url, page.href);
  if (whole.protocol.startsWith("http")) whole.protocol = scheme;
  return whole.href;
}
