/** The form of the list: what is asked for, in the address and in the fields. */
import { all, h, icon, one } from "./dom";
import { t } from "./words";

/** Waits for the next letter before it asks: nobody types faster. */
const PAUSE_MS = 50;

export class Search {
  order: string;
  private date: string;
  private waiting = 0;
  private asked = "";

  constructor(
    private readonly form: HTMLFormElement,
    order: string,
    private readonly changed: () => void,
  ) {
    this.order = order;
    this.date = all(".seg .on", form).map((button) => (button as HTMLButtonElement).value)[0] ?? "";
    this.asked = this.query().toString();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = (event as SubmitEvent).submitter as HTMLButtonElement | null;
      if (button?.name === "date") this.choose(button.value);
      else this.now();
    });
    form.addEventListener("input", () => this.soon());
    form.addEventListener("change", () => this.now());
  }

  /** What is asked for, as the address says it. */
  query(): URLSearchParams {
    const query = new URLSearchParams();
    const range = this.date === "range";
    for (const [name, value] of new FormData(this.form)) {
      const text = String(value).trim();
      if (text && name !== "date" && (range || (name !== "from" && name !== "to"))) query.append(name, text);
    }
    if (this.date) query.set("date", this.date);
    return query;
  }

  isOpen(): boolean {
    return [...this.query()].every(([name, value]) => name === "date" && value === "range");
  }

  /** Fill the fields with what an address says. */
  fill(query: URLSearchParams): void {
    for (const added of all(".added", this.form)) added.remove();
    for (const field of all<HTMLInputElement>("input, select", this.form)) field.value = query.get(field.name) ?? "";
    for (const [name, value] of query) {
      if (!["date", "from", "to", "order", "after", "limit"].includes(name) && !this.form.elements.namedItem(name)) this.add(name, name, value);
    }
    this.order = query.get("order") ?? this.order;
    this.mark(query.get("date") ?? (query.has("from") || query.has("to") ? "range" : ""));
    this.asked = "nothing yet";
    this.now();
  }

  clear(): void {
    this.fill(new URLSearchParams());
  }

  /** A further field. */
  add(name: string, label: string, value = ""): HTMLInputElement {
    const known = this.form.elements.namedItem(name);
    if (known instanceof HTMLInputElement) return known;
    const input = h("input", { name, value, autocomplete: "off", maxlength: 200, spellcheck: "false" });
    const away = h("button", { type: "button", class: "plain", "aria-label": t("Take the field {field} away", { field: label }) }, icon("close"));
    const field = h("label", { class: "extra added" }, h("span", {}, label), input, away);
    away.addEventListener("click", () => {
      field.remove();
      this.now();
    });
    one(".seg", this.form).before(field);
    return input;
  }

  focus(): void {
    const first = one<HTMLInputElement>("input", this.form);
    first.focus();
    first.select();
  }

  /** Today, yesterday …; the same again takes it back. */
  private choose(value: string): void {
    this.mark(this.date === value ? "" : value);
    if (this.date === "range") one<HTMLInputElement>("input[name=from]", this.form).focus();
    this.now();
  }

  private mark(date: string): void {
    this.date = date;
    for (const button of all<HTMLButtonElement>(".seg button", this.form)) {
      button.classList.toggle("on", button.value === date);
      button.setAttribute("aria-pressed", String(button.value === date));
    }
    one(".range", this.form).hidden = date !== "range";
  }

  private soon(): void {
    clearTimeout(this.waiting);
    this.waiting = window.setTimeout(() => this.now(), PAUSE_MS);
  }

  private now(): void {
    clearTimeout(this.waiting);
    const asked = this.query().toString();
    if (asked === this.asked) return;
    this.asked = asked;
    this.changed();
  }
}
