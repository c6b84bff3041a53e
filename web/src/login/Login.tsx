import { api } from "../core/api";
import { localPath } from "../core/paths";
import { t } from "../strings";
import { Form } from "./Form";

/** The log-in page; after it the page that was asked for. */
export function Login() {
  return (
    <Form
      title={t("login.title")}
      fields={[
        { name: "user", label: t("login.user"), type: "text", complete: "username" },
        { name: "password", label: t("login.password"), type: "password", complete: "current-password" },
      ]}
      submit={t("login.submit")}
      busy={t("login.busy")}
      send={async ({ user = "", password = "" }) => {
        await api.login(user, password);
        location.assign(localPath(new URLSearchParams(location.search).get("next")));
        return undefined;
      }}
    />
  );
}
