/** Share links: whoever has one sees a study without logging in. */
import { call, sentenceOf } from "./api";
import { ask } from "./dialog";
import { h } from "./dom";
import { offerBack } from "./links";
import { qrCode } from "./qr";
import { toast } from "./toast";
import { t } from "./words";
import "../style/share.css";

interface Made {
  id: string;
  link: string;
  expires_at: string | null;
  dicom: boolean;
}

interface Link {
  id: string;
  made_by: string;
  label: string;
  dicom: boolean;
  asks_birth_date: boolean;
  uses_allowed: number | null;
  uses: number;
  expires_at: string | null;
  state: string;
}

interface Defaults {
  validity: string;
  dicom: boolean;
  unlimited: boolean;
}

/** Ask how long and how a link to these studies is to work, make it, and show it; below are those that there are already. */
export async function openShareDialog(uids: readonly string[]): Promise<void> {
  let defaults: Defaults;
  try {
    defaults = await call<Defaults>("GET", "/shares/defaults");
  } catch (error) {
    return toast(sentenceOf(error), { kind: "bad" });
  }
  const list = h("div", { class: "links-of-study", "aria-live": "polite" });
  const only = uids.length === 1 ? uids[0] : "";
  if (only) void showLinks(only, list);
  let made: Made | undefined;
  const done = await ask({
    title: uids.length === 1 ? t("Share this study") : t("Share {number} studies", { number: uids.length }),
    content: [...wishes(defaults), list],
    confirm: t("Make the link"),
    act: async (form) => {
      made = await call<Made>("POST", "/shares", wishOf(uids, form));
    },
  });
  if (done && made) await showMade(made);
}

function wishes(defaults: Defaults): Node[] {
  const lasting = [
    ["1 day", t("1 day")],
    ["2 days", t("2 days")],
    ["30 days", t("30 days")],
    ...(defaults.unlimited ? [["for ever", t("until it is revoked")]] : []),
  ];
  const number = h("input", { type: "number", name: "uses", min: 1, max: 1000, placeholder: t("as often as wanted") });
  return [
    h(
      "div",
      { class: "fields" },
      field(t("Valid for"), h("select", { name: "validity" }, ...lasting.map(([value, word]) => h("option", { value, selected: value === defaults.validity }, word)))),
      field(t("How often it opens"), number),
      field(t("For whom"), h("input", { name: "label", maxlength: 200, autocomplete: "off", placeholder: t("a note for you") })),
    ),
    h(
      "fieldset",
      { class: "share-forms" },
      h("legend", {}, t("What it gives")),
      choice("jpeg", !defaults.dicom, t("Pictures (JPEG)"), t("To look at; nothing can be measured or downloaded.")),
      choice("dicom", defaults.dicom, t("DICOM"), t("The images themselves, with download: for another doctor.")),
    ),
    h("label", { class: "tick" }, h("input", { type: "checkbox", name: "asks_birth_date" }), h("span", {}, t("Ask for the patient's date of birth"), h("small", {}, t("Who got the link by mistake sees nothing.")))),
  ];
}

function field(label: string, control: HTMLElement): HTMLElement {
  return h("label", { class: "field" }, h("span", {}, label), control);
}

function choice(value: string, checked: boolean, word: string, hint: string): HTMLElement {
  return h("label", { class: "tick" }, h("input", { type: "radio", name: "form", value, checked }), h("span", {}, word, h("small", {}, hint)));
}

function wishOf(uids: readonly string[], form: FormData): Record<string, unknown> {
  const uses = Number(form.get("uses"));
  return {
    studies: uids,
    validity: form.get("validity"),
    dicom: form.get("form") === "dicom",
    uses: uses || null,
    asks_birth_date: form.has("asks_birth_date"),
    label: String(form.get("label") ?? ""),
  };
}

/** Show the link once: it is kept nowhere. */
async function showMade(made: Made): Promise<void> {
  const link = h("input", { value: made.link, readonly: true, "aria-label": t("Link"), onfocus: (event) => (event.target as HTMLInputElement).select() });
  const copy = h("button", { type: "button", class: "primary", onclick: () => void copied(link) }, t("Copy"));
  const ends = made.expires_at ? t("It works until {moment}.", { moment: written(made.expires_at) }) : t("It works until it is revoked.");
  const send = "share" in navigator ? h("button", { type: "button", onclick: () => void navigator.share({ url: made.link }).catch(() => undefined) }, t("Send…")) : null;
  const mail = h("a", { class: "button", href: `mailto:?body=${encodeURIComponent(made.link)}` }, t("By e-mail"));
  await ask({
    title: t("The link"),
    content: [
      h("div", { class: "made" }, link, copy),
      h("p", {}, ends, " ", t("It is shown now and never again: copy it.")),
      h("div", { class: "acts" }, mail, send),
      h("figure", { class: "code" }, qrCode(made.link, t("QR code of the link")), h("figcaption", {}, t("With a phone: point its camera here."))),
    ],
  });
}

async function copied(link: HTMLInputElement): Promise<void> {
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
    toast(t("Copied."));
  } catch {
    // Browsers let pages copy over https alone: the link is selected.
    toast(t("Press Ctrl+C to copy the link."));
  }
}

/** The links of a study that there are, below what is asked. */
async function showLinks(uid: string, list: HTMLElement): Promise<void> {
  const links = await call<Link[]>("GET", `/shares?study=${encodeURIComponent(uid)}`).catch(() => []);
  const working = links.filter((link) => link.state === "works");
  if (!working.length) return list.replaceChildren();
  list.replaceChildren(
    h("h3", {}, t("Links that work")),
    h("ul", {}, ...working.map((link) => h("li", {}, h("span", {}, said(link), h("small", {}, details(link))), h("button", { type: "button", class: "danger", onclick: () => void revoke(link, uid, list) }, t("Revoke"))))),
  );
}

/** A moment as the page's language writes it. */
function written(moment: string): string {
  return new Date(moment).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}

function said(link: Link): string {
  return link.label || t("made by {name}", { name: link.made_by });
}

function details(link: Link): string {
  const ends = link.expires_at ? t("until {moment}", { moment: written(link.expires_at) }) : t("until it is revoked");
  const opened = link.uses_allowed ? t("opened: {uses} of {allowed}", { uses: link.uses, allowed: link.uses_allowed }) : t("opened: {uses}", { uses: link.uses });
  return [link.dicom ? "DICOM" : "JPEG", ends, opened, ...(link.asks_birth_date ? [t("asks date of birth")] : [])].join(" · ");
}

async function revoke(link: Link, uid: string, list: HTMLElement): Promise<void> {
  try {
    await call("DELETE", `/shares/${link.id}`);
    offerBack(link.id, () => void showLinks(uid, list));
  } catch (error) {
    toast(sentenceOf(error), { kind: "bad" });
  }
  await showLinks(uid, list);
}
