/** What all pages run: the module of each part that is on the page, badges, the watch over the session, buttons and forms. */
import "@fontsource-variable/inter/index.css";
import "../style/charrua.css";
import "../style/setup.css";
import "../style/forms.css";
import { follow } from "./badges";
import { all } from "./dom";
import { watch } from "./session";
import { reachable } from "./scrolling";
import { showLater, toast } from "./toast";
import { t } from "./words";

type Start = (element: HTMLElement) => void | Promise<void>;

/** The code behind `data-page`: loaded where the page has it. */
const PAGES: Record<string, () => Promise<{ start: Start }>> = {
  links: () => import("./links"),
  login: () => import("./login"),
  "setup-peers": () => import("./setup_peers"),
  "setup-plugins": () => import("./setup_plugins"),
  "setup-settings": () => import("./setup_settings"),
  "setup-storage": () => import("./setup_storage"),
  "setup-troubles": () => import("./setup_troubles"),
  "setup-waiting": () => import("./setup_waiting"),
  portal: () => import("./portal"),
  "share-entrance": () => import("./share-entrance"),
  visit: () => import("./visit"),
  upload: () => import("./upload"),
  looks: () => import("./looks"),
  password: () => import("./password"),
  user: () => import("./user"),
  token: () => import("./token"),
  studies: () => import("./studies"),
  study: () => import("./study"),
};

for (const element of all("[data-page]")) {
  const load = PAGES[element.dataset.page ?? ""];
  if (load) void load().then((module) => module.start(element));
}

for (const form of all("form[data-send]")) void import("./forms").then((module) => module.start(form));
if (all("[data-call]").length) void import("./acts").then((module) => module.start());

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
  if (!button) return;
  void navigator.clipboard?.writeText(button.dataset.copy ?? "").then(() => toast(t("Copied.")));
});

watch();
follow();
reachable();
showLater();
