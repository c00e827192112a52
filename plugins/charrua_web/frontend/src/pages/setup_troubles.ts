/** The page of troubles: mending with one click, marking as seen, telling no more. */
import { call, sentenceOf } from "./api";
import { ask } from "./dialog";
import { h } from "./dom";
import { renew } from "./renewed";
import { edit, test, type Peer } from "./setup_peers";
import { toast } from "./toast";
import { t } from "./words";

interface Change {
  name: string;
  value: string;
}

export function start(page: HTMLElement): void {
  page.addEventListener("click", (event) => {
    const button = (event.target as Element).closest("button");
    if (button) void act(button).catch((error: unknown) => toast(sentenceOf(error), { kind: "bad" }));
  });
}

async function act(button: HTMLButtonElement): Promise<void> {
  if (button.hasAttribute("data-all")) {
    await call("POST", "/troubles/seen", { all: true });
    button.remove();
    return renew("troubles");
  }
  const row = button.closest<HTMLElement>("[data-trouble]");
  if (!row) return;
  const id = Number(row.dataset.trouble);
  if (button.hasAttribute("data-seen")) return seen(id);
  if (button.dataset.mute) return mute(id, button.dataset.mute === "true");
  if (button.dataset.mend && (await mend(button))) await seen(id);
}

async function seen(id: number): Promise<void> {
  await call("POST", "/troubles/seen", { ids: [id] });
  await renew("troubles");
}

async function mute(id: number, muted: boolean): Promise<void> {
  await call("POST", "/troubles/mute", { ids: [id], muted });
  await renew("troubles");
  if (muted) toast(t("This is counted as new no more."), { undo: () => mute(id, false) });
}

/** Do what the button offers; gives whether that is done with. */
async function mend(button: HTMLButtonElement): Promise<boolean> {
  const given = JSON.parse(button.dataset.given ?? "{}") as unknown;
  if (button.dataset.mend === "setting") return set(given as Change);
  if (button.dataset.mend === "peer") return edit(await filledIn(given as Partial<Peer>));
  if (button.dataset.mend === "echo") await tested(button, given as Partial<Peer>);
  return false;
}

/** What is known of a peer already, with what the trouble tells of it. */
async function filledIn(given: Partial<Peer>): Promise<Partial<Peer>> {
  const known = await call<Peer[]>("GET", "/peers");
  return { ...known.find((peer) => peer.aet === given.aet), ...given };
}

async function set(change: Change): Promise<boolean> {
  const settings = await call<{ name: string; source: string; value: string | null }[]>("GET", "/settings");
  const before = settings.find((setting) => setting.name === change.name);
  const path = `/settings/${change.name}`;
  await call("PUT", path, { value: change.value });
  const undo = async () => {
    if (before?.source === "database") await call("PUT", path, { value: before.value ?? "" });
    else await call("DELETE", path);
    await renew("troubles", "waiting");
  };
  toast(t("{name} is now “{value}”.", { name: change.name, value: change.value }), { undo });
  return true;
}

async function tested(button: HTMLButtonElement, peer: Partial<Peer>): Promise<void> {
  const place = h("div", { role: "status", "aria-live": "polite" });
  void ask({ title: t("Test of {aet}", { aet: peer.aet ?? "" }), content: [place] });
  await test(button, { aet: peer.aet }, place);
}
