/** What is told of one study: actions, series with thumbnails, documents, priors, and what became of it. */
import { confirmDelete, openAssign } from "./actions";
import { call, sentenceOf } from "./api";
import { h, icon } from "./dom";
import { actsOf } from "./studies_acts";
import { clock, grouped, viewerOf, type Action, type Details, type Edit, type Ledger, type Row, type Series } from "./studies_model";
import { toast } from "./toast";
import { t } from "./words";

const WADO = "/dicom-web";

/** Series whose images are shown: they stay so when the study is told anew. */
const open = new Set<string>();

interface Image {
  uid: string;
  number: string;
  frames: number;
  document: string[];
}

/** All of it but the heading, for the pane and for the page; the ledger comes when it is there. */
export function detailsOf(details: Details, may: readonly string[], actions: readonly Action[]): HTMLElement[] {
  const uid = details.study.uid;
  const ledger = h("div", { class: "ledger", "aria-live": "polite" });
  void fillLedger(ledger, uid);
  return [
    actsOf(uid, may, actions),
    seriesList(details, may),
    section(t("Documents"), details.documents.length > 0 && documents(details)),
    factList(details),
    ledger,
    section(t("Other studies of this patient"), details.priors.length > 0 && priors(details.priors)),
  ].filter((part): part is HTMLElement => part instanceof HTMLElement);
}

function section(title: string, content: HTMLElement | false): HTMLElement | false {
  return content && h("section", { class: "part" }, h("h3", {}, title), content);
}

// -- series and images ---------------------------------------------------------------------------------------------------
function seriesList(details: Details, may: readonly string[]): HTMLElement {
  return h("ul", { class: "series" }, ...details.series.map((series) => seriesItem(details.study.uid, series, may)));
}

function seriesItem(study: string, series: Series, may: readonly string[]): HTMLElement {
  const mayOpen = may.includes("view");
  const images = h("div", { class: "images" });
  const assign = () => void openAssign(study, series.uid);
  const remove = () => void confirmDelete([study], [series.uid]);
  const acts = h(
    "div",
    { class: "acts" },
    may.includes("edit") && h("button", { type: "button", onclick: assign }, icon("assign"), t("Assign")),
    may.includes("delete") && h("button", { type: "button", class: "danger", onclick: remove }, icon("delete"), t("Delete…")),
  );
  const opened = h("div", { class: "opened", hidden: true }, images, acts.childElementCount > 0 && acts);
  const count = series.images === 1 ? t("1 image") : t("{n} images", { n: grouped(series.images) });
  const title = [series.number, series.description || series.body_part].filter(Boolean).join(" · ") || series.modality;
  const toggle = h(
    "button",
    { type: "button", class: "plain show", "aria-expanded": "false", "aria-label": t("Images of {series}", { series: title }), title: t("Show the images") },
    icon("down"),
  );
  toggle.addEventListener("click", () => void show(toggle, opened, images, study, series));
  if (open.has(series.uid)) void show(toggle, opened, images, study, series);
  const about = h("small", {}, [series.modality, count].join(" · "));
  const named = h("b", {}, title);
  const text = mayOpen ? h("a", { href: viewerOf(study, series.uid) }, named, about) : h("div", {}, named, about);
  const picture = mayOpen && thumbnail(`${WADO}/studies/${study}/series/${series.uid}/thumbnail`, series.modality);
  return h("li", {}, h("div", { class: "one" }, picture, text, mayOpen && toggle), opened);
}

/** A picture, or where none can be made of it what it is. */
export function thumbnail(path: string, otherwise: string): HTMLElement {
  const place = h("span", { class: "thumb" });
  const picture = h("img", { src: path, alt: "", loading: "lazy", decoding: "async", width: 56, height: 56 });
  picture.addEventListener("error", () => place.replaceChildren(otherwise));
  place.append(picture);
  return place;
}

async function show(toggle: HTMLElement, opened: HTMLElement, images: HTMLElement, study: string, series: Series): Promise<void> {
  opened.hidden = !opened.hidden;
  if (opened.hidden) open.delete(series.uid);
  else open.add(series.uid);
  toggle.setAttribute("aria-expanded", String(!opened.hidden));
  if (!opened.hidden && !images.childElementCount) await fill(images, study, series);
}

/** The next images of a series, and a button for those after them. */
async function fill(images: HTMLElement, study: string, series: Series, after = ""): Promise<void> {
  const path = `/studies/${study}/series/${series.uid}/images${after && `?after=${after}`}`;
  try {
    const answer = await call<{ images: Image[]; more: boolean }>("GET", path);
    images.append(...answer.images.map((image) => imageLink(study, series, image)));
    const last = answer.images.at(-1);
    if (answer.more && last) {
      const more = h("button", { type: "button" }, t("More"));
      more.addEventListener("click", () => {
        more.remove();
        void fill(images, study, series, last.uid);
      });
      images.append(more);
    }
  } catch (error) {
    toast(sentenceOf(error), { kind: "bad" });
  }
}

function imageLink(study: string, series: Series, image: Image): HTMLElement {
  const path = `${WADO}/studies/${study}/series/${series.uid}/instances/${image.uid}`;
  const href = image.document.length ? `${path}/rendered` : viewerOf(study, series.uid, image.uid);
  const label = t("Image {number}", { number: image.number || "?" });
  return h(
    "a",
    { href, title: label, "aria-label": label, target: image.document.length > 0 && "_blank", rel: "noopener" },
    thumbnail(`${path}/thumbnail`, series.modality),
    h("small", {}, image.frames > 1 ? `${image.number} · ${image.frames}` : image.number),
  );
}

// -- facts, documents, priors --------------------------------------------------------------------------------------------
function factList(details: Details): HTMLElement {
  const words: Record<string, string> = {
    "Patient ID": t("Patient ID"), Accession: t("Accession"), "Study ID": t("Study ID"), Referring: t("Referring"), Institution: t("Institution"),
  };
  return h("dl", {}, ...details.facts.flatMap(({ label, text }) => fact(words[label] ?? label, text)));
}

function fact(label: string, ...content: (Node | string)[]): HTMLElement[] {
  return [h("dt", {}, label), h("dd", {}, ...content)];
}

function documents(details: Details): HTMLElement {
  return h(
    "ul",
    { class: "links" },
    ...details.documents.map((one) =>
      h("li", {}, h("a", { href: one.href, target: "_blank", rel: "noopener" }, icon("pdf"), one.title || t("Document")), h("small", {}, one.at)),
    ),
  );
}

function priors(rows: readonly Row[]): HTMLElement {
  return h(
    "ul",
    { class: "links" },
    ...rows.map((row) =>
      h(
        "li",
        {},
        h("a", { href: `/studies/${row.uid}` }, [row.cells.modalities, row.cells.description].filter(Boolean).join(" · ") || t("Study")),
        h("small", {}, row.cells.date ?? ""),
      ),
    ),
  );
}

// -- what became of it ---------------------------------------------------------------------------------------------------
async function fillLedger(place: HTMLElement, uid: string): Promise<void> {
  try {
    const ledger = await call<Ledger>("GET", `/studies/${uid}/ledger`);
    const facts = [...received(ledger), ...expected(ledger), ...sent(ledger)];
    place.replaceChildren(h("dl", {}, ...facts), ...(ledger.history.length ? [history(place, uid, ledger.history)] : []));
  } catch (error) {
    place.replaceChildren(h("p", { class: "wrong" }, sentenceOf(error)));
  }
}

function received(ledger: Ledger): HTMLElement[] {
  const lines = ledger.received.map((one) => {
    const from = one.sender || { web: t("an upload"), import: t("an import") }[one.kind] || t("an unknown sender");
    const first = clock(one.first_at);
    const last = clock(one.last_at, one.first_at);
    const when = first.endsWith(last) ? first : `${first}–${last}`;
    const said = one.objects === 1 ? t("1 from {sender}, {when}", { sender: from, when }) : t("{n} from {sender}, {when}", { n: grouped(one.objects), sender: from, when });
    return h("div", {}, said);
  });
  return fact(t("Received"), ...lines);
}

/** What modalities say to have made, against what of it is here. */
function expected(ledger: Ledger): HTMLElement[] {
  const lines = ledger.expected.map((one) => {
    const counts = { received: grouped(one.received), n: grouped(one.objects), sender: one.sender };
    const said = t("{received} of {n} that {sender} has made", counts);
    const lacks = one.is_final && one.received < one.objects;
    return h("div", { class: lacks ? "wrong" : "" }, one.is_final ? said : `${said} · ${t("more to come")}`);
  });
  return lines.length ? fact(t("Performed"), ...lines) : [];
}

function sent(ledger: Ledger): HTMLElement[] {
  const waiting = ledger.waiting.map((one) => {
    const words: Record<string, string> = { due: t("waits"), running: t("is being sent"), dead: t("failed") };
    const line = h("div", { class: one.state === "dead" ? "wrong" : "" }, `${one.destination} · ${words[one.state] ?? one.state}`);
    if (one.last_error) line.append(h("small", {}, ` ${one.last_error}`));
    return line;
  });
  const done = ledger.sent.map((one) => h("div", {}, `${one.destination} ✓ `, h("small", {}, `${grouped(one.objects)} · ${clock(one.last_at)}`)));
  return waiting.length + done.length ? fact(t("Sent"), ...done, ...waiting) : [];
}

function history(place: HTMLElement, uid: string, edits: readonly Edit[]): HTMLElement {
  const list = h("ol", { class: "history" }, ...edits.map((edit) => editItem(edit, () => fillLedger(place, uid))));
  return h("section", { class: "part" }, h("h3", {}, t("History")), list);
}

function editItem(edit: Edit, renew: () => Promise<void>): HTMLElement {
  const words: Record<string, string> = {
    edit: t("Edited"), assign_study: t("Assigned to another patient"), assign_series: t("Series assigned"), merge: t("Merged"),
    delete: edit.level === "STUDY" ? t("Deleted") : t("Deleted in part"), undo: t("Undone"), status: t("Status changed"),
    keep: t("Kept"), purge: t("Files removed"),
  };
  const undo = h("button", { type: "button" }, icon("undo"), t("Undo"));
  undo.addEventListener("click", () => {
    undo.disabled = true;
    call("POST", "/actions/undo", { edits: [edit.id] })
      .then(() => toast(t("Undone.")))
      .catch((error: unknown) => toast(sentenceOf(error), { kind: "bad" }))
      .finally(() => void renew());
  });
  return h(
    "li",
    { class: edit.undone ? "undone" : "" },
    h("div", {}, h("b", {}, words[edit.kind] ?? edit.kind), edit.undone && h("small", {}, ` ${t("taken back")}`), h("small", {}, ` ${edit.by} · ${clock(edit.at)}`)),
    edit.reason && h("p", {}, edit.reason),
    ...edit.changes.map((one) => h("p", { class: "change" }, `${one.name}: `, h("del", {}, one.before || t("nothing")), " → ", h("ins", {}, one.after || t("nothing")))),
    edit.undoable && undo,
  );
}
