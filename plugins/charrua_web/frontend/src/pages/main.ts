/** What all pages run: the module of each part that is on the page, the badges of the rail, buttons that copy. */
import "@fontsource-variable/inter/index.css";
import "../style/charrua.css";
import "../style/setup.css";
import { follow } from "./badges";
import { all } from "./dom";
import { toast } from "./toast";
import { t } from "./words";

type Start = (element: HTMLElement) => void | Promise<void>;

/** The code behind `data-page`: loaded where the page has it. */
const PAGES: Record<string, () => Promise<{ start: Start }>> = {
  login: () => import("./login"),
  "setup-peers": () => import("./setup_peers"),
  "setup-plugins": () => import("./setup_plugins"),
  "setup-settings": () => import("./setup_settings"),
  "setup-storage": () => import("./setup_storage"),
  "setup-troubles": () => import("./setup_troubles"),
  "setup-waiting": () => import("./setup_waiting"),
};

for (const element of all("[data-page]")) {
  const load = PAGES[element.dataset.page ?? ""];
  if (load) void load().then((module) => module.start(element));
}

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
  if (!button) return;
  void navigator.clipboard?.writeText(button.dataset.copy ?? "").then(() => toast(t("Copied.")));
});

follow();
