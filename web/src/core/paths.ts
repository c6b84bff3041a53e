/** The address inside this site that `wanted` names, or the console: a link must not send a signed-in person elsewhere. */
export function localPath(wanted: string | null): string {
  if (!wanted?.startsWith("/")) return "/";
  const url = new URL(wanted, "http://here.invalid");
  return url.host === "here.invalid" ? url.pathname + url.search : "/";
}
