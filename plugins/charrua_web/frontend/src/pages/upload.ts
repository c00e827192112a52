/** The page at which people upload: what they choose or drop, how far it is, and what became of each file. */
import "../style/upload.css";
import { call, sentenceOf } from "./api";
import { h, one } from "./dom";
import { toast } from "./toast";
import { breathe, chosen, dropped, some, type Found } from "./upload/files";
import { Journal } from "./upload/journal";
import { Archives } from "./upload/archives";
import { ProgressPanel } from "./upload/progress";
import { Results } from "./upload/results";
import { Sender, type Upload } from "./upload/sender";
import { Studies } from "./upload/studies";
import { t } from "./words";

const DRAWN_EVERY_MS = 250;

export async function start(page: HTMLElement): Promise<void> {
  new UploadPage(page, await Journal.of(document.body.dataset.user ?? ""));
}

class UploadPage {
  private readonly results = new Results(this.part("results"));
  private readonly studies = new Studies(this.part("studies"));
  private readonly archives = new Archives(this.part("archives"), {
    stop: (upload) => this.forget(upload),
    changed: (before, after) => this.stored(before, after),
  });
  private readonly sender: Sender;
  private readonly progress: ProgressPanel;
  private shown = false;
  private taking = 0;

  constructor(
    private readonly page: HTMLElement,
    private readonly journal: Journal,
  ) {
    this.sender = new Sender(journal, {
      results: (rows) => {
        this.results.add(rows);
        this.studies.add(rows.map((row) => row.study));
      },
      upload: (upload) => this.archives.tell(upload),
    });
    this.progress = new ProgressPanel(this.part("progress"), this.sender, this.archives, this.results);
    this.listen();
    this.tellUnfinished();
    void this.archives.load().then(() => this.draw());
    setInterval(() => this.draw(), DRAWN_EVERY_MS);
  }

  private part(name: string): HTMLElement {
    return one(`[data-part=${name}]`, this.page);
  }

  // -- what is chosen ----------------------------------------------------------------------------------------------------
  private listen(): void {
    for (const kind of ["files", "folder"]) {
      const input = one<HTMLInputElement>(`[data-input=${kind}]`, this.page);
      one(`[data-choose=${kind}]`, this.page).addEventListener("click", () => input.click());
      input.addEventListener("change", () => {
        const files = input.files;
        void this.take(chosen(files)).then(() => {
          input.value = "";
        });
      });
    }
    this.listenToDrops();
    window.addEventListener("beforeunload", (event) => {
      if (this.sender.left && !this.sender.halted) event.preventDefault();
    });
  }

  private listenToDrops(): void {
    const over = this.part("dropping");
    let within = 0;
    const files = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const show = (by: number) => {
      within = by ? Math.max(0, within + by) : 0;
      over.hidden = within === 0;
    };
    document.addEventListener("dragenter", (event) => files(event) && show(1));
    document.addEventListener("dragleave", (event) => files(event) && show(-1));
    document.addEventListener("dragover", (event) => files(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!files(event) || !event.dataTransfer) return;
      event.preventDefault();
      show(0);
      dropped(event.dataTransfer, (found) => this.progress.looking(found)).then(
        (found) => this.take(some(found)),
        (error: unknown) => toast(t("The folder cannot be read: {why}", { why: sentenceOf(error) }), { kind: "bad" }),
      );
    });
  }

  /** Take files, some at a time: there may be ten thousands. */
  private async take(several: AsyncGenerator<Found[]>): Promise<void> {
    this.taking += 1;
    this.progress.looking(0);
    this.part("interrupted").replaceChildren();
    let number = 0;
    for await (const found of several) {
      number += found.length;
      this.takeSome(found);
      await breathe();
    }
    this.taking -= 1;
    if (!number) toast(t("There are no files in it."), { kind: "bad" });
    this.draw();
  }

  private takeSome(found: readonly Found[]): void {
    const most = Number(this.page.dataset.mostBytes);
    const reason = t("It is larger than one upload may be.");
    this.results.add(found.filter(({ file }) => file.size > most).map(({ path }) => ({ name: path, status: "refused", reason })));
    this.sender.add(found.filter(({ file }) => file.size <= most));
  }

  // -- what was broken off -----------------------------------------------------------------------------------------------
  private tellUnfinished(): void {
    const unfinished = this.journal.unfinished;
    if (!unfinished) return;
    const told = t("An upload of {files} files was broken off at {time}; {done} of them are done.", {
      files: unfinished.files,
      done: unfinished.done,
      time: new Date(unfinished.began).toLocaleString(document.documentElement.lang),
    });
    const forget = () => {
      this.journal.clear();
      this.part("interrupted").replaceChildren();
    };
    this.part("interrupted").replaceChildren(
      h(
        "div",
        { class: "notice warn", role: "note" },
        h("div", {}, h("p", {}, `${told} ${t("Choose the same files again to go on: what is done is not sent again.")}`)),
        h("span", { class: "grow" }),
        h("button", { type: "button", onclick: forget }, t("Forget it")),
      ),
    );
  }

  // -- large files and archives --------------------------------------------------------------------------------------------
  /** What the archive has made of an upload since it was last asked. */
  private stored(before: Upload | undefined, after: Upload): void {
    const told = after.results.told ?? [];
    const known = before?.results.told?.length ?? 0;
    this.results.add(told.slice(known).map((row) => ({ ...row, name: `${after.name} / ${row.name}` })), false);
    this.results.count(before?.results.numbers ?? {}, after.results.numbers ?? {});
    this.studies.add(Object.keys(after.results.studies ?? {}));
    if (after.state === "failed" && before?.state !== "failed") {
      this.results.add([{ name: after.name, status: "refused", reason: after.error }]);
    }
  }

  private async forget(upload: Upload): Promise<void> {
    try {
      await call("DELETE", `/uploads/${upload.id}`);
      this.archives.remove(upload);
    } catch (error) {
      toast(sentenceOf(error), { kind: "bad" });
    }
  }

  // -- drawing -----------------------------------------------------------------------------------------------------------
  private draw(): void {
    const { files } = this.sender.total;
    this.part("empty").hidden = files > 0 || this.archives.some;
    this.progress.draw();
    this.results.draw();
    this.studies.draw();
    this.archives.draw();
    if (files && !this.taking && !this.sender.left && !this.archives.busy) this.end();
    else this.shown = false;
  }

  private end(): void {
    if (this.shown) return;
    this.shown = true;
    this.journal.clear();
    const refused = this.results.refused;
    toast(refused ? t("The upload is done. Some files were refused: the list says why.") : t("The upload is done."), { kind: refused ? "bad" : "good" });
  }
}
