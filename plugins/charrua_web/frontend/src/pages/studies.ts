/** The study list: typed letters are answered at once, new studies appear by themselves, and everything has a key. */
import "../style/studies.css";
import { CHANGED } from "./actions_done";
import { call, Problem, sentenceOf } from "./api";
import { all, h, one } from "./dom";
import { addKeys, showMap } from "./keys";
import { actsOfMany, keysOf } from "./studies_acts";
import { askColumns, askField, askSearches, keepColumns, type Saved } from "./studies_choices";
import { Pane } from "./studies_pane";
import { followStudies } from "./studies_live";
import { ARRIVING_MS, brought, grouped, viewerOf, type Action, type Column, type Row } from "./studies_model";
import { Search } from "./studies_search";
import { Selection } from "./studies_selection";
import { Table } from "./studies_table";
import { t } from "./words";

interface Brought {
  rows: Row[];
  more: boolean;
  columns: Column[];
  chosen: string[];
  usual: string[];
  searches: Saved[];
  fields: { name: string; label: string }[];
  may: string[];
  order: string;
}

interface Answer {
  rows: Row[];
  more: boolean;
}

interface Count {
  studies: number;
  exact: boolean;
  matches: number | null;
  more: boolean;
}

/** Rows that are asked for again when something changed; those further down stay as they are. */
const RENEWED_AT_MOST = 200;
const PAGE = 50;
const TRY_AGAIN_MS = 5_000;
/** So long it rests between two looks at what changed. */
const RENEW_PAUSE_MS = 1_000;
/** What nobody is told of, such as that a study is gone which was not all in sight, is looked for now and then. */
const LOOK_AGAIN_MS = 30_000;

export function start(page: HTMLElement): void {
  new List(page).begin();
}

class List {
  private readonly given = brought<Brought>("list");
  private readonly actions = brought<Action[]>("study-actions");
  private readonly table: Table;
  private readonly search: Search;
  private readonly selection: Selection;
  private readonly pane: Pane;
  private chosen = this.given.chosen;
  private more = this.given.more;
  private asking: AbortController | null = null;
  private loading = false;
  private again = 0;
  private renewing: Promise<void> | null = null;
  private renewNext = false;

  constructor(private readonly page: HTMLElement) {
    const mayOpen = this.given.may.includes("view");
    this.table = new Table(one<HTMLTableElement>("table", page), this.columns(), mayOpen);
    this.search = new Search(one<HTMLFormElement>("form.search", page), this.given.order, () => void this.find());
    this.pane = new Pane(one(".detail", page), this.given.may, this.actions);
    this.selection = new Selection(this.table, () => this.chosenChanged());
  }

  begin(): void {
    this.table.show(this.given.rows);
    this.table.sorted(this.search.order);
    this.selection.first();
    void this.count();
    this.listen();
    this.keys();
    followStudies(
      () => void this.renew(),
      (live) => (one(".live", this.page).hidden = !live),
    );
    setInterval(() => this.table.renew(), ARRIVING_MS / 3);
    setInterval(() => document.visibilityState === "visible" && void this.renew(), LOOK_AGAIN_MS);
  }

  private columns(): Column[] {
    return this.chosen.map((name) => this.given.columns.find((column) => column.name === name)!);
  }

  // -- asking ------------------------------------------------------------------------------------------------------------
  /** Ask for the first page of what the form says. */
  private async find(): Promise<void> {
    const query = this.search.query();
    const address = new URLSearchParams(query);
    if (this.search.order !== "-date") address.set("order", this.search.order);
    history.replaceState(null, "", address.size ? `?${address}` : location.pathname);
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    try {
      const began = performance.now();
      const answer = await this.ask(query, PAGE, "", asking.signal);
      this.shown(answer, false);
      one(".table", this.page).scrollTop = 0;
      this.selection.first();
      void this.count(query, asking.signal, performance.now() - began);
    } catch (error) {
      this.failed(error, () => this.find());
    }
  }

  private async ask(query: URLSearchParams, limit: number, after = "", signal?: AbortSignal): Promise<Answer> {
    const asked = new URLSearchParams(query);
    asked.set("order", this.search.order);
    asked.set("limit", String(limit));
    if (after) asked.set("after", after);
    const answer = await call<Answer>("GET", `/studies/rows?${asked}`, undefined, signal);
    this.reached();
    return answer;
  }

  /** Ask again for what is shown, because something changed; one at a time, and once more for what changed meanwhile. */
  private async renew(): Promise<void> {
    if (this.renewing) {
      this.renewNext = true;
      return;
    }
    this.renewing = this.renewOnce().then(() => new Promise((go) => setTimeout(go, RENEW_PAUSE_MS)));
    await this.renewing;
    this.renewing = null;
    if (this.renewNext) {
      this.renewNext = false;
      void this.renew();
    }
  }

  private async renewOnce(): Promise<void> {
    const query = this.search.query();
    const asked = query.toString() + this.search.order;
    const limit = Math.min(Math.max(this.table.rows.length, PAGE), RENEWED_AT_MOST);
    try {
      const answer = await this.ask(query, limit);
      if (asked !== this.search.query().toString() + this.search.order) return;
      const here = new Set(answer.rows.map((row) => row.uid));
      const below = answer.more ? this.table.rows.slice(limit).filter((row) => !here.has(row.uid)) : [];
      this.shown({ rows: [...answer.rows, ...below], more: below.length ? this.more : answer.more }, true);
      void this.count(query);
      this.pane.renew();
    } catch (error) {
      this.failed(error, () => this.renew());
    }
  }

  private async loadMore(): Promise<void> {
    const last = this.table.rows.at(-1);
    if (!this.more || this.loading || !last) return;
    this.loading = true;
    const query = this.search.query();
    try {
      const answer = await this.ask(query, PAGE, last.uid, this.asking?.signal);
      const known = new Set(this.table.rows.map((row) => row.uid));
      this.shown({ rows: [...this.table.rows, ...answer.rows.filter((row) => !known.has(row.uid))], more: answer.more }, false);
    } catch (error) {
      this.failed(error, () => this.loadMore());
    } finally {
      this.loading = false;
    }
  }

  private shown(answer: Answer, fresh: boolean): void {
    this.more = answer.more;
    this.table.show(answer.rows, fresh);
    const none = answer.rows.length === 0;
    this.table.element.hidden = none;
    one(".next", this.page).hidden = !answer.more;
    one(".wrong-search", this.page).hidden = true;
    one(".nothing", this.page).hidden = !none || this.search.isOpen();
    one(".first", this.page).hidden = !none || !this.search.isOpen();
    one(".clear", this.page).hidden = this.search.isOpen();
    this.exports();
    this.selection.keep();
  }

  private async count(query = this.search.query(), signal?: AbortSignal, took = 0): Promise<void> {
    try {
      const count = await call<Count>("GET", `/studies/count?${query}`, undefined, signal);
      one(".facts", this.page).replaceChildren(...counted(count, this.table.rows.length, this.more), took ? ` · ${Math.round(took)} ms` : "");
    } catch {
      one(".facts", this.page).textContent = "";
    }
  }

  // -- what goes wrong ---------------------------------------------------------------------------------------------------
  private failed(error: unknown, retry: () => Promise<void>): void {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (error instanceof Problem && error.status !== 0 && error.status < 500) {
      const wrong = one(".wrong-search", this.page);
      one("div", wrong).textContent = error.message;
      wrong.hidden = false;
      return;
    }
    const offline = one(".offline", this.page);
    one("div", offline).textContent = `${sentenceOf(error)} ${t("What is shown may be old.")}`;
    offline.hidden = false;
    clearTimeout(this.again);
    this.again = window.setTimeout(() => void retry(), TRY_AGAIN_MS);
  }

  private reached(): void {
    clearTimeout(this.again);
    one(".offline", this.page).hidden = true;
  }

  // -- choosing ----------------------------------------------------------------------------------------------------------
  private chosenChanged(): void {
    const uids = this.selection.chosen();
    const bar = one(".sel-bar", this.page);
    bar.hidden = uids.length === 0;
    const said = uids.length === 1 ? t("1 selected") : t("{n} selected", { n: grouped(uids.length) });
    const none = h("button", { type: "button", class: "plain", onclick: () => this.selection.clear() }, t("None"));
    const pdf = h("a", { class: "button", href: `/studies/list.pdf?${this.exported(uids)}`, target: "_blank", rel: "noopener" }, t("PDF list"));
    bar.replaceChildren(h("b", {}, said), none, ...actsOfMany(() => this.selection.chosen(), this.given.may).slice(0, -1), pdf, h("span", { class: "grow" }), ...actsOfMany(() => this.selection.chosen(), this.given.may).slice(-1));
    const row = this.selection.current();
    this.pane.show(row);
  }

  private exported(uids: readonly string[] = []): URLSearchParams {
    const query = uids.length ? new URLSearchParams(uids.map((uid) => ["StudyInstanceUID", uid])) : this.search.query();
    query.set("order", this.search.order);
    query.set("columns", this.chosen.join(","));
    return query;
  }

  private exports(): void {
    for (const link of all<HTMLAnchorElement>("a.export", this.page)) link.href = `/studies/list.${link.dataset.form}?${this.exported()}`;
  }

  // -- hands -------------------------------------------------------------------------------------------------------------
  private listen(): void {
    for (const hidden of all(".list-tools, .add-field, .filters", this.page)) hidden.hidden = false;
    this.exports();
    one(".clear", this.page).hidden = this.search.isOpen();
    const on = (selector: string, act: (event: Event) => void) => one(selector, this.page).addEventListener("click", act);
    on("thead", (event) => this.sort(event));
    on(".map", () => showMap());
    on(".clear", () => this.search.clear());
    on(".columns", () => void this.chooseColumns());
    on(".saved", () => void askSearches(this.given.searches, this.search.query().toString(), (query) => this.search.fill(new URLSearchParams(query))));
    on(".add-field", () => void this.addField());
    on(".filters", () => this.unfold());
    on(".offline button", () => void this.renew());
    on(".nothing a", (event) => {
      event.preventDefault();
      this.search.clear();
    });
    on(".more", (event) => {
      event.preventDefault();
      void this.loadMore();
    });
    one("form.search", this.page).addEventListener("keydown", (event) => this.leaveForm(event as KeyboardEvent));
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && void this.loadMore(), { rootMargin: "400px" }).observe(one(".next", this.page));
    document.addEventListener(CHANGED, () => {
      this.pane.forget();
      void this.renew();
    });
  }

  private sort(event: Event): void {
    const link = (event.target as Element).closest<HTMLElement>("a[data-order]");
    if (!link) return;
    event.preventDefault();
    const name = link.dataset.order!;
    const first = ["date", "received", "images", "size", "series"].includes(name) ? `-${name}` : name;
    const other = first.startsWith("-") ? name : `-${name}`;
    this.search.order = this.search.order === first ? other : first;
    this.table.sorted(this.search.order);
    one<HTMLElement>(`a[data-order="${name}"]`, this.page).focus();
    void this.find();
    void keepColumns(this.chosen, this.search.order);
  }

  private async chooseColumns(): Promise<void> {
    const names = await askColumns(this.given.columns, this.chosen, this.given.usual);
    if (!names) return;
    this.chosen = names;
    this.table.arrange(this.columns(), this.search.order);
    this.exports();
    await keepColumns(this.chosen, this.search.order);
  }

  private async addField(): Promise<void> {
    const field = await askField(this.given.fields);
    if (field) this.search.add(field.name, field.label).focus();
  }

  private unfold(): void {
    const form = one("form.search", this.page);
    const open = form.classList.toggle("open");
    one(".filters", this.page).setAttribute("aria-expanded", String(open));
  }

  /** From a field, Escape and the arrow down lead to the rows. */
  private leaveForm(event: KeyboardEvent): void {
    if (event.key !== "Escape" && event.key !== "ArrowDown" && event.key !== "Enter") return;
    if (!(event.target instanceof HTMLInputElement) || event.target.type === "date") return;
    event.preventDefault();
    if (event.key === "Enter") void this.find();
    this.selection.focus();
  }

  private keys(): void {
    const rows = () => this.table.rows.length > 0;
    const selection = this.selection;
    addKeys(t("Studies"), [
      { keys: ["/"], what: t("Search"), run: () => this.search.focus() },
      { keys: ["j", "ArrowDown"], what: t("Next study"), run: () => selection.move(1), when: rows },
      { keys: ["k", "ArrowUp"], what: t("Study before"), run: () => selection.move(-1), when: rows },
      { keys: ["Enter"], what: t("Open in the viewer"), run: () => this.open(), when: rows },
      { keys: ["x"], what: t("Select"), run: () => selection.toggle(), when: rows },
      { keys: ["X"], what: t("Select from the last selected to here"), run: () => selection.toggleTo(), when: rows },
      { keys: ["a"], what: t("Select all shown"), run: () => selection.all(), when: rows },
      { keys: ["Escape"], what: t("Select none"), run: () => selection.clear(), when: () => selection.chosen().length > 0 },
      { keys: ["i"], what: t("Page of the study"), run: () => location.assign(`/studies/${selection.current()?.uid}`), when: rows },
    ]);
    const uids = () => {
      const current = selection.current();
      return selection.chosen().length ? selection.chosen() : current ? [current.uid] : [];
    };
    addKeys(t("Selected studies, or the one in hand"), keysOf(uids, this.given.may, this.actions));
  }

  private open(): void {
    const row = this.selection.current();
    if (row && this.given.may.includes("view")) location.assign(viewerOf(row.uid));
  }
}

/** "38 of 1,204,377 studies", with what is not counted to its end said so. */
function counted(count: Count, shown: number, more: boolean): (Node | string)[] {
  const total = count.exact ? grouped(count.studies) : t("about {n}", { n: grouped(count.studies) });
  if (count.matches === null && !count.more) {
    const all = h("b", {}, count.studies === 1 ? t("1 study") : t("{n} studies", { n: total }));
    return [all];
  }
  const many = count.more ? t("more than {n}", { n: grouped(count.matches ?? shown) }) : count.matches === null ? t("{n} or more", { n: grouped(shown) }) : grouped(count.matches);
  void more;
  return [h("b", {}, many), ` ${t("of {n} studies", { n: total })}`];
}
