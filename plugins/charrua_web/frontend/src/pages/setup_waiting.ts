/** The note of settings that wait for a restart, on every page of Set-up, and the restart itself. */
import { call, sentenceOf } from "./api";
import { ask } from "./dialog";
import { h } from "./dom";
import { toast } from "./toast";
import { t } from "./words";

const LOOK_EVERY_MS = 700;
const AT_MOST_MS = 60_000;

export function start(note: HTMLElement): void {
  // Of a menu that scrolls, the page's own entry is to be seen.
  document.querySelector(".menu [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  note.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-restart]")) void restart();
  });
}

async function restart(): Promise<void> {
  const asked = {
    title: t("Restart the services?"),
    content: [h("p", {}, t("Associations and transfers that are under way are let finish what they are at for some seconds, then they are broken off. Nothing that was acknowledged is lost."))],
    confirm: t("Restart now"),
    act: () => call("POST", "/restart", { confirm: true }),
  };
  if (!(await ask(asked))) return;
  toast(t("The services restart …"));
  await answersAgain().then(
    () => location.reload(),
    (error) => toast(sentenceOf(error), { kind: "bad" }),
  );
}

/** Return once the server was away, or has had its time, and answers. */
async function answersAgain(): Promise<void> {
  const began = Date.now();
  let wasAway = false;
  while (Date.now() - began < AT_MOST_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    const answers = await fetch("/health", { cache: "no-store" }).then(
      () => true,
      () => false,
    );
    wasAway ||= !answers;
    if (answers && (wasAway || Date.now() - began > 5000)) return;
  }
  throw new Error(t("The archive does not answer. The log at the machine says why."));
}
