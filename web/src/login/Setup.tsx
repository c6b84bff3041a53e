import { api } from "../core/api";
import { t } from "../strings";
import { Form } from "./Form";

/** Creates the first administrator with the token the server printed, then signs in. */
export function Setup() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  return (
    <Form
      title={t("setup.title")}
      text={t("setup.text")}
      fields={[
        { name: "token", label: t("setup.token"), type: "text", complete: "off", value: token },
        { name: "user", label: t("login.user"), type: "text", complete: "username" },
        { name: "name", label: t("setup.name"), type: "text", complete: "name" },
        { name: "password", label: t("login.password"), type: "password", complete: "new-password" },
        { name: "repeat", label: t("setup.repeat"), type: "password", complete: "new-password" },
      ]}
      submit={t("setup.submit")}
      busy={t("setup.busy")}
      send={async ({ token: given = "", user = "", name = "", password = "", repeat = "" }) => {
        if (password !== repeat) return t("setup.mismatch");
        await api.setup(given.trim(), user, name, password);
        await api.login(user, password);
        location.assign("/");
        return undefined;
      }}
    />
  );
}
