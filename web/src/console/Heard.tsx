/** Only where the demo serves it: levels measured at the simulated phones. */
import { Dialog } from "@kobalte/core/dialog";
import { createEffect, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { api, type HeardPhone } from "../core/api";
import { t } from "../strings";
import { Meter } from "../ui/Meter";

/** Twice a second: as fast as an eye compares numbers. */
const POLL_MS = 500;

export function Heard() {
  const [there, setThere] = createSignal(false);
  const [open, setOpen] = createSignal(false);
  const [phones, setPhones] = createSignal<readonly HeardPhone[]>([]);
  const poll = async () => {
    try {
      setPhones(await api.heard());
    } catch {
      setPhones([]);
    }
  };
  onMount(() => void api.hasHeard().then(setThere, () => setThere(false)));
  createEffect(() => {
    if (!open()) return;
    void poll();
    const timer = setInterval(() => void poll(), POLL_MS);
    onCleanup(() => clearInterval(timer));
  });
  return (
    <Show when={there()}>
      <Dialog open={open()} onOpenChange={setOpen} modal={false}>
        <Dialog.Trigger class="button heard">{t("heard.title")}</Dialog.Trigger>
        <Dialog.Portal>
          <Dialog.Content class="drawer" role="dialog" onInteractOutside={(event) => event.preventDefault()}>
            <div class="drawer-head">
              <Dialog.Title>{t("heard.title")}</Dialog.Title>
              <Dialog.CloseButton class="button plain" aria-label={t("heard.close")}>
                {t("heard.close")}
              </Dialog.CloseButton>
            </div>
            <Dialog.Description class="small quiet">{t("heard.text")}</Dialog.Description>
            <Phones phones={phones()} />
          </Dialog.Content>
        </Dialog.Portal>
      </Dialog>
    </Show>
  );
}

function Phones(props: { phones: readonly HeardPhone[] }) {
  return (
    <Show when={props.phones.length} fallback={<p class="empty">{t("heard.empty")}</p>}>
      <table>
        <thead>
          <tr>
            <th>{t("heard.pair")}</th>
            <th>{t("heard.agentHears")}</th>
            <th>{t("heard.customerHears")}</th>
            <th>{t("heard.whisper")}</th>
          </tr>
        </thead>
        <tbody>
          {/* By place, so that the meters keep falling smoothly while the list is renewed. */}
          <For each={props.phones.map((_, place) => place)}>
            {(place) => {
              const phone = () => props.phones[place];
              return (
                <tr>
                  <td>
                    <span class="cut">{phone()?.agent}</span>
                    <span class="cut quiet small">{phone()?.customer}</span>
                  </td>
                  <td>
                    <Meter
                      side="agent"
                      label={t("heard.agentHears")}
                      read={() => phone()?.agent_hears_dbfs ?? -96}
                      written={(level) => t("heard.level", { level })}
                    />
                  </td>
                  <td>
                    <Meter
                      side="customer"
                      label={t("heard.customerHears")}
                      read={() => phone()?.customer_hears_dbfs ?? -96}
                      written={(level) => t("heard.level", { level })}
                    />
                  </td>
                  <td>
                    <span classList={{ found: phone()?.whisper_found ?? false }}>
                      {phone()?.whisper_found ? t("heard.whisper.yes") : t("heard.whisper.no")}
                    </span>
                  </td>
                </tr>
              );
            }}
          </For>
        </tbody>
      </table>
    </Show>
  );
}
