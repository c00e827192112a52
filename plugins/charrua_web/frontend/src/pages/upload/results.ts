/** What became of each file: a table of those that one asks for, however many there are. */
import { h, one } from "../dom";
import { t } from "../words";
import type { Row, Status } from "./sender";
import { number } from "./units";

const SHOWN_AT_ONCE = 100;
const DRAWN_EVERY_MS = 1000;
type Choice = Status | "all";

const WORDS: Record<Status, () => string> = {
  stored: () => t("Stored"),
  there: () => t("Already there"),
  beside: () => t("Kept beside another"),
  skipped: () => t("Passed over"),
  refused: () => t("Refused"),
};
const KINDS: Record<Status, string> = { stored: "good", there: "info", beside: "warn", skipped: "plain", refused: "bad" };

/** What the archive gives as reasons most often; others are shown as they come. */
const REASONS: Record<string, () => string> = {
  "This is no DICOM object.": () => t("This is no DICOM object."),
  "A DICOMDIR lists the files of a disc; its files are taken one by one.": () => t("A DICOMDIR lists the files of a disc; its files are taken one by one."),
  "Another object with this SOP Instance UID is here and stays the one that is shown; this one is kept beside it.": () =>
    t("Another object with this SOP Instance UID is here and stays the one that is shown; this one is kept beside it."),
  "The ZIP archive is damaged at this file: it does not unpack to what it was.": () => t("The ZIP archive is damaged at this file: it does not unpack to what it was."),
  "It is protected by a password: upload it unpacked.": () => t("It is protected by a password: upload it unpacked."),
  "The file can no longer be read: it was moved or changed.": () => t("The file can no longer be read: it was moved or changed."),
};

export class Results {
  private readonly rows: Row[] = [];
  private readonly numbers: Record<Choice, number> = { all: 0, stored: 0, there: 0, beside: 0, skipped: 0, refused: 0 };
  private readonly choices = h("div", { class: "seg", role: "group", "aria-label": t("Which files") });
  private readonly body = h("tbody");
  private readonly more = h("button", { type: "button", hidden: true, onclick: () => this.showMore() });
  private choice: Choice = "all";
  private shown = SHOWN_AT_ONCE;
  private drawn = "";
  private drawnAt = -DRAWN_EVERY_MS;

  constructor(private readonly section: HTMLElement) {
    const head = h("tr", {}, ...[t("File"), t("What became of it"), t("Study, or why not")].map((word) => h("th", { scope: "col" }, word)));
    one("[data-fill]", section).append(
      this.choices,
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, head), this.body)),
      this.more,
    );
  }

  /** How many files were refused. */
  get refused(): number {
    return this.numbers.refused;
  }

  /** Add files; those of archives are counted by `count`. */
  add(rows: readonly Row[], counted = true): void {
    for (const row of rows) {
      this.rows.push(row);
      if (!counted) continue;
      this.numbers[row.status] += 1;
      this.numbers.all += 1;
    }
  }

  /** Count the files of an archive: so many there were, so many there are. */
  count(before: Partial<Record<Status, number>>, after: Partial<Record<Status, number>>): void {
    for (const [status, now] of Object.entries(after)) {
      const more = now - (before[status as Status] ?? 0);
      this.numbers[status as Status] += more;
      this.numbers.all += more;
    }
  }

  /** Draw what has changed, not more often than people read. */
  draw(): void {
    const state = JSON.stringify([this.numbers, this.choice, this.shown, this.rows.length]);
    if (state === this.drawn || performance.now() - this.drawnAt < DRAWN_EVERY_MS) return;
    this.drawn = state;
    this.drawnAt = performance.now();
    this.section.hidden = this.numbers.all === 0;
    this.drawChoices();
    const [rows, all] = this.chosen();
    this.body.replaceChildren(...rows.map(drawnRow));
    this.more.hidden = all <= rows.length;
    this.more.textContent = t("Show more ({left})", { left: number(all - rows.length) });
  }

  /** The rows to show, and how many there are: what was refused is what somebody must see, and stands first. */
  private chosen(): [Row[], number] {
    if (this.choice !== "all") {
      const rows = this.rows.filter((row) => row.status === this.choice);
      return [rows.slice(0, this.shown), rows.length];
    }
    const first = this.rows.filter((row) => row.status === "refused" || row.status === "beside").slice(0, this.shown);
    const others: Row[] = [];
    for (const row of this.rows) {
      if (first.length + others.length >= this.shown) break;
      if (row.status !== "refused" && row.status !== "beside") others.push(row);
    }
    return [[...first, ...others], this.rows.length];
  }

  private drawChoices(): void {
    const words: [Choice, string][] = [["all", t("All")], ...Object.entries(WORDS).map(([status, word]) => [status as Choice, word()] as [Choice, string])];
    const wanted = words.filter(([choice]) => choice === "all" || this.numbers[choice]);
    const hadFocus = this.choices.contains(document.activeElement);
    this.choices.replaceChildren(
      ...wanted.map(([choice, word]) =>
        h(
          "button",
          { type: "button", class: choice === this.choice ? "on" : "", "aria-pressed": choice === this.choice ? "true" : "false", onclick: () => this.choose(choice) },
          `${word} ${number(this.numbers[choice])}`,
        ),
      ),
    );
    if (hadFocus) this.choices.querySelector<HTMLElement>(".on")?.focus();
  }

  private choose(choice: Choice): void {
    this.choice = choice;
    this.shown = SHOWN_AT_ONCE;
    this.drawNow();
  }

  private showMore(): void {
    this.shown += SHOWN_AT_ONCE;
    this.drawNow();
  }

  private drawNow(): void {
    this.drawnAt = -DRAWN_EVERY_MS;
    this.draw();
  }
}

function drawnRow(row: Row): HTMLElement {
  const word = h("span", { class: `pill ${KINDS[row.status]}` }, WORDS[row.status]());
  const study = row.study ? h("a", { href: `/studies/${encodeURIComponent(row.study)}` }, t("To the study")) : null;
  return h("tr", {}, h("td", { class: "name", title: row.name }, row.name), h("td", {}, word), h("td", { class: "why" }, row.reason ? (REASONS[row.reason]?.() ?? row.reason) : study));
}
