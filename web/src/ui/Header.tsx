/** The bar on top of every page with a person in front of it. */
import { type JSX, Show } from "solid-js";
import { api } from "../core/api";
import { t } from "../strings";
import { switchTheme, theme } from "./theme";

export type Page = "calls" | "wallboard" | "audit";
const PAGES: readonly { page: Page; path: string }[] = [
  { page: "calls", path: "/" },
  { page: "wallboard", path: "/wallboard" },
  { page: "audit", path: "/audit" },
];

async function signOut(): Promise<void> {
  await api.logout().catch(() => undefined);
  location.assign("/login");
}

export function Header(props: { page: Page; name: string; mayAudit: boolean; children?: JSX.Element }) {
  const other = () => (theme() === "dark" ? t("nav.theme.light") : t("nav.theme.dark"));
  return (
    <header class="header">
      <span class="brand">{t("app.name")}</span>
      <nav aria-label={t("nav.label")}>
        {PAGES.map(({ page, path }) => (
          <Show when={page !== "audit" || props.mayAudit}>
            <a href={path} aria-current={page === props.page ? "page" : undefined}>
              {t(`nav.${page}`)}
            </a>
          </Show>
        ))}
      </nav>
      <div class="right">
        {props.children}
        <button
          type="button"
          class="button plain"
          aria-label={t("nav.theme.label", { theme: other() })}
          onClick={switchTheme}
        >
          {other()}
        </button>
        <Show when={props.name}>
          <span class="who quiet cut">{props.name}</span>
          <button type="button" class="button plain" onClick={() => void signOut()}>
            {t("nav.signOut")}
          </button>
        </Show>
      </div>
    </header>
  );
}
