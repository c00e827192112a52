/** Attaching files to a study, each as a series of its own, with progress and what became of each. */
import { call, capital, Problem } from "./api";
import { lineOf, studyOf, type Answer } from "./actions_model";
import { announce, tellDone } from "./actions_done";
import { ask } from "./dialog";
import { h, icon } from "./dom";
import { toast } from "./toast";
import { t } from "./words";

interface Attached {
  study: string;
  series: string;
  title: string;
}

const ACCEPT = ".pdf,.jpg,.jpeg,.png,.mp4,.doc,.docx,.odt,.rtf,.txt";
const LONGEST_TITLE = 64;

export async function openAttach(uid: string): Promise<void> {
  const study = await studyOf(uid);
  const list = new List(uid);
  const input = h("input", { type: "file", multiple: true, autofocus: true, accept: ACCEPT, class: "file", "aria-label": t("Files to attach") });
  input.addEventListener("change", () => {
    list.add([...(input.files ?? [])]);
    input.value = "";
  });
  const drop = h("div", { class: "drop" }, icon("attach"), h("p", {}, t("Drop files here, or choose them.")), input);
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    list.add([...(event.dataTransfer?.files ?? [])]);
  });
  await ask({
    title: t("Attach files"),
    wide: true,
    content: [
      h("p", { class: "soft" }, lineOf(study)),
      drop,
      list.element,
      h("p", { class: "soft" }, t("PDF, JPEG, PNG and MP4 (H.264, H.265) stay as they are; DOC, DOCX, ODT, RTF and TXT become PDF where LibreOffice is installed.")),
    ],
    confirm: t("Attach"),
    act: () => list.send(),
  });
  list.stop();
}

class List {
  readonly element = h("ul", { class: "files", "aria-live": "polite" });
  private lines: Line[] = [];

  constructor(private readonly uid: string) {}

  add(files: readonly File[]): void {
    for (const file of files) {
      const line = new Line(this.uid, file, () => this.drop(line));
      this.lines.push(line);
      this.element.append(line.element);
    }
  }

  /** Send those that are not there yet; throws where one does not arrive, and the dialog stays. */
  async send(): Promise<void> {
    const waiting = this.lines.filter((one) => !one.attached);
    if (!waiting.length) throw new Error(t("Choose a file first."));
    let failed = 0;
    for (const line of waiting) failed += (await line.send()) ? 0 : 1;
    const done = waiting.filter((one) => one.attached);
    if (done.length) await tellAttached(this.uid, done.map((one) => one.attached!));
    if (failed) throw new Error(failed === 1 ? t("One file was not attached: what is wrong stands beside it.") : t("{n} files were not attached: what is wrong stands beside them.", { n: failed }));
  }

  stop(): void {
    for (const line of this.lines) line.stop();
  }

  private drop(line: Line): void {
    this.lines = this.lines.filter((one) => one !== line);
    line.stop();
    line.element.remove();
  }
}

class Line {
  readonly element: HTMLLIElement;
  attached?: Attached;
  private readonly title = h("input", { maxlength: LONGEST_TITLE, autocomplete: "off" });
  private readonly bar = h("progress", { max: 1, value: 0, hidden: true });
  private readonly said = h("p", { class: "wrong", hidden: true });
  private readonly remove: HTMLButtonElement;
  private request?: XMLHttpRequest;

  constructor(private readonly uid: string, private readonly file: File, drop: () => void) {
    this.title.value = file.name.replace(/\.[^.]*$/, "").slice(0, LONGEST_TITLE);
    this.remove = h("button", { type: "button", class: "plain", "aria-label": t("Leave out {name}", { name: file.name }), onclick: drop }, icon("close"));
    const label = h("label", { class: "field" }, h("span", {}, t("Title of {name}", { name: `${file.name}, ${size(file.size)}` })), this.title);
    this.element = h("li", {}, label, this.remove, this.bar, this.said);
  }

  /** Send it; gives whether it arrived. */
  async send(): Promise<boolean> {
    this.bar.hidden = false;
    this.said.hidden = true;
    try {
      this.attached = await this.upload();
      this.remove.hidden = true;
      this.title.disabled = true;
      this.element.classList.add("done");
      return true;
    } catch (error) {
      this.bar.hidden = true;
      this.said.textContent = error instanceof Error ? error.message : String(error);
      this.said.hidden = false;
      return false;
    }
  }

  stop(): void {
    if (!this.attached) this.request?.abort();
  }

  private upload(): Promise<Attached> {
    return new Promise((resolve, reject) => {
      const request = (this.request = new XMLHttpRequest());
      request.open("POST", `/actions/studies/${encodeURIComponent(this.uid)}/attachments?title=${encodeURIComponent(this.title.value.trim())}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) this.bar.value = event.loaded / event.total;
      });
      request.addEventListener("load", () => (request.status === 201 ? resolve(JSON.parse(request.responseText) as Attached) : reject(problem(request))));
      request.addEventListener("error", () => reject(new Problem(0, t("The archive does not answer. Is this computer still on the network?"))));
      request.addEventListener("abort", () => reject(new Problem(0, t("Broken off."))));
      request.send(this.file);
    });
  }
}

function problem(request: XMLHttpRequest): Problem {
  let detail = "";
  try {
    detail = String((JSON.parse(request.responseText) as { detail?: string }).detail ?? "");
  } catch {
    // Something before the archive answered.
  }
  return new Problem(request.status, detail ? capital(detail) : t("The archive answered with status {status}.", { status: request.status }));
}

/** Tell it; who may delete can have it undone. */
async function tellAttached(uid: string, attached: readonly Attached[]): Promise<void> {
  const what = attached.length === 1 ? t("Attached: {title}", { title: attached[0]!.title }) : t("{n} files are attached.", { n: attached.length });
  announce([uid]);
  const me = await call<{ permissions: string[] }>("GET", "/whoami").catch(() => ({ permissions: [] as string[] }));
  if (!me.permissions.includes("delete")) return toast(what);
  toast(what, { undo: () => takeAway(uid, attached) });
}

async function takeAway(uid: string, attached: readonly Attached[]): Promise<void> {
  const series = attached.map((one) => one.series);
  const answer = await call<Answer>("POST", `/actions/studies/${encodeURIComponent(uid)}/delete`, { series, reason: t("attached by mistake") });
  tellDone(t("The attachment is deleted."), answer.edits, [uid]);
}

function size(bytes: number): string {
  const kilobytes = bytes / 1024;
  return kilobytes < 1024 ? `${Math.max(1, Math.round(kilobytes))} kB` : `${(kilobytes / 1024).toFixed(1)} MB`;
}
