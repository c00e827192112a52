/** Sending studies to one or several destinations, and telling what became of it. */
import { call } from "./api";
import { ask } from "./dialog";
import { all, h } from "./dom";
import { toast } from "./toast";
import { t } from "./words";

interface Destination {
  name: string;
  kind: string;
  enabled: boolean;
  window: string;
  syntaxes: boolean;
}

interface Where {
  destinations: Destination[];
  syntaxes: string[];
  priorities: string[];
}

interface Sending {
  sending: number | null;
  study: string;
  destination: string;
  state: string;
  why?: string;
  next_try?: string;
}

const LOOKED_AT_MS = [1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];

export async function openSend(uids: readonly string[]): Promise<void> {
  const where = await call<Where>("GET", "/actions/destinations");
  if (!where.destinations.length) return nowhere();
  const ticks = h("div", { class: "choices" }, ...where.destinations.map((one, number) => tick(one, number === 0)));
  const syntax = select("syntax", where.syntaxes.map((word, number) => [String(number), syntaxWord(word, number)]));
  const priority = select("priority", [["low", t("Low")], ["normal", t("Normal")], ["high", t("High")]], "normal");
  const hint = h("small", { role: "status" });
  ticks.addEventListener("change", () => {
    const refusing = chosen(ticks).filter((name) => !where.destinations.find((one) => one.name === name)?.syntaxes);
    hint.textContent = refusing.length ? t("{names} gets studies as they are stored.", { names: refusing.join(", ") }) : "";
  });
  if (where.destinations.length === 1) all<HTMLInputElement>("input", ticks)[0]!.checked = true;
  await ask({
    title: uids.length === 1 ? t("Send the study") : t("Send {n} studies", { n: uids.length }),
    content: [
      h("fieldset", { class: "choose" }, h("legend", {}, t("To")), ticks),
      h("div", { class: "fields" }, labelled(t("Transfer syntax"), syntax, hint), labelled(t("Priority"), priority)),
    ],
    confirm: t("Send"),
    act: async () => {
      const destinations = chosen(ticks);
      if (!destinations.length) throw new Error(t("Tick one destination at least."));
      const asked = { studies: uids, destinations, transfer_syntax: Number(syntax.value), priority: priority.value };
      const answer = await call<{ sendings: Sending[] }>("POST", "/actions/send", asked);
      tell(answer.sendings);
    },
  });
}

async function nowhere(): Promise<void> {
  await ask({
    title: t("Send"),
    content: [h("p", {}, t("There is nowhere to send to yet: an administrator adds remote servers and other destinations in Set-up."))],
  });
}

function tick(one: Destination, first: boolean): HTMLLabelElement {
  const facts = [one.kind === "dicom" ? "" : one.kind, one.enabled ? "" : t("stopped: what is sent there waits"), one.window];
  const box = h("input", { type: "checkbox", name: "destination", value: one.name, autofocus: first });
  return h("label", { class: "tick" }, box, h("span", {}, one.name, h("small", {}, facts.filter(Boolean).join(" · "))));
}

function chosen(ticks: HTMLElement): string[] {
  return all<HTMLInputElement>("input:checked", ticks).map((box) => box.value);
}

function select(name: string, options: [string, string][], value = options[0]?.[0]): HTMLSelectElement {
  return h("select", { name }, ...options.map(([one, word]) => h("option", { value: one, selected: one === value }, word)));
}

function labelled(label: string, control: HTMLElement, ...more: HTMLElement[]): HTMLLabelElement {
  return h("label", { class: "field" }, h("span", {}, label), control, ...more);
}

function syntaxWord(word: string, number: number): string {
  const words: Record<string, string> = {
    "JPEG lossless": t("JPEG lossless"), "JPEG lossy": t("JPEG lossy"), "JPEG 2000 lossless": t("JPEG 2000 lossless"), "JPEG 2000 lossy": t("JPEG 2000 lossy"),
  };
  return number === 0 ? t("As stored") : (words[word] ?? word);
}

/** Say what was queued, and later what came of it. */
function tell(sendings: readonly Sending[]): void {
  for (const one of sendings.filter((sending) => sending.state === "not found")) {
    toast(one.why ?? t("A study is not there any more."), { kind: "bad" });
  }
  const queued = sendings.filter((one) => one.sending !== null);
  const waiting = sendings.filter((one) => one.state === "waits already").length;
  if (!queued.length) return waiting ? toast(t("The same waits to be sent already."), { link: queueLink() }) : undefined;
  const names = [...new Set(queued.map((one) => one.destination))].join(", ");
  const sentence = queued.length === 1 ? t("Queued for {names}.", { names }) : t("{n} sendings are queued for {names}.", { n: queued.length, names });
  toast(sentence, { link: queueLink() });
  void follow(queued.map((one) => one.sending!));
}

/** The queue's page, where the rail has one. */
function queueLink(): { href: string; label: string } | undefined {
  const there = all<HTMLAnchorElement>(".rail a, .menu a").find((one) => new URL(one.href).pathname.endsWith("/queue"));
  return there && { href: there.href, label: t("Queue") };
}

async function follow(numbers: readonly number[]): Promise<void> {
  let left = [...numbers];
  const failing = new Set<number>();
  for (const wait of LOOKED_AT_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    const became = await call<Sending[]>("GET", `/actions/sendings?of=${left.join(",")}`).catch(() => null);
    if (!became) return;
    const done = became.filter((one) => one.state === "done");
    if (done.length) toast(t("Sent to {names}.", { names: [...new Set(done.map((one) => one.destination))].join(", ") }));
    for (const one of became.filter((sending) => sending.why && sending.state !== "done" && !failing.has(sending.sending!))) {
      failing.add(one.sending!);
      toast(failed(one), { kind: "bad", link: queueLink() });
    }
    left = became.filter((one) => one.state === "due" || one.state === "running").map((one) => one.sending!);
    if (!left.length) return;
  }
}

function failed(one: Sending): string {
  const why = one.why ?? "";
  if (one.state === "dead") return t("{name} was not sent to, and is not tried again: {why}", { name: one.destination, why });
  const at = one.next_try ? new Date(one.next_try).toLocaleTimeString(document.documentElement.lang || undefined, { timeStyle: "short" }) : "";
  return t("{name} was not sent to: {why}. It is tried again at {at}.", { name: one.destination, why, at });
}
