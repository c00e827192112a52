/** The page of storage: another volume, and a check of the archive that is watched, left alone or stopped. */
import { call, sentenceOf } from "./api";
import { one } from "./dom";
import { renew } from "./renewed";
import { toast } from "./toast";
import { t } from "./words";

const LOOK_EVERY_MS = 1500;

export function start(page: HTMLElement): void {
  page.addEventListener("click", (event) => {
    const button = (event.target as Element).closest("button");
    if (button?.dataset.check) void check("POST", { quick: button.dataset.check === "quick" });
    if (button?.hasAttribute("data-stop")) void check("DELETE");
  });
  page.addEventListener("submit", (event) => {
    event.preventDefault();
    void switchVolume(event.target as HTMLFormElement);
  });
  follow();
}

async function check(method: "POST" | "DELETE", body?: { quick: boolean }): Promise<void> {
  try {
    await call(method, "/storage/check", body);
    await renew("check");
    follow();
  } catch (error) {
    toast(sentenceOf(error), { kind: "bad" });
  }
}

/** Keep the panel up to date while a check is under way. */
function follow(): void {
  if (!("underWay" in one("#check").dataset)) return;
  setTimeout(() => {
    void renew("check").then(follow, follow);
  }, LOOK_EVERY_MS);
}

async function switchVolume(form: HTMLFormElement): Promise<void> {
  const folder = String(new FormData(form).get("volume") ?? "").trim();
  const wrong = one(".wrong", form);
  wrong.hidden = true;
  try {
    const path = "/settings/volume";
    await (folder ? call("PUT", path, { value: folder }) : call("DELETE", path));
    await renew("waiting");
    toast(t("New images go to {folder} from the next start on.", { folder: folder || "volume-1" }));
  } catch (error) {
    wrong.textContent = sentenceOf(error);
    wrong.hidden = false;
  }
}
