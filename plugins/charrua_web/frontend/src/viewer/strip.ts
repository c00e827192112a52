/** The strip of series: a picture of each, what it is, how much of it is here. */
import { t } from "../pages/words";
import { dateOf } from "./overlay";
import { mayHaveImages } from "./archive";
import { make, setText } from "./dom";
import { text } from "./dataset";
import { pathOf, type Series, type Study } from "./model";
import { loadedOf } from "./prefetch";
import { nameOf, type Stack } from "./stacks";

export interface StripEvents {
  /** A series, or a stack of it, was chosen to be shown. */
  chosen: (key: string) => void;
}

interface Item {
  element: HTMLLIElement;
  progress: HTMLProgressElement;
  facts: HTMLElement;
}

/** The strip; the key of an item is the series' UID until its stacks are known, then the stack's key. */
export class Strip {
  private readonly items = new Map<string, Item>();
  private readonly lists = new Map<Series, HTMLElement>();
  private readonly thumbnails: HTMLImageElement[] = [];
  private readonly told = new Set<Series>();

  constructor(
    private readonly element: HTMLElement,
    private readonly events: StripEvents,
  ) {}

  /** Fills the strip with all series; their pictures come when `showThumbnails` is called. */
  fill(studies: Study[]): void {
    for (const study of studies) {
      const list = make("ul", { "aria-label": text(study.data, "00081030") || t("Series") });
      const name = [studyName(study), isOther(study, studies) ? t("Another patient: {name}", { name: text(study.data, "00100010") }) : ""];
      if (studies.length > 1) this.element.append(make("h2", { class: name[1] && "other" }, name.filter(Boolean).join(" · ")));
      for (const series of study.series) {
        const place = make("li", { class: "series" });
        this.lists.set(series, place);
        place.append(make("ul", { class: "stacks" }, this.item(series.uid, series, undefined)));
        list.append(place);
      }
      this.element.append(list);
    }
  }

  private item(key: string, series: Series, stack: Stack | undefined): HTMLElement {
    const progress = make("progress", { max: 1, value: 0, "aria-hidden": "true" });
    const facts = make("span", { class: "facts" });
    const name = stack ? nameOf(stack) : series.description || series.modality;
    const button = make("button", { type: "button", draggable: "true", title: name }, this.thumbnail(series, stack));
    button.append(make("span", { class: "name" }, name), facts, progress);
    button.addEventListener("click", () => this.events.chosen(key));
    button.addEventListener("dragstart", (event) => event.dataTransfer?.setData("text/plain", key));
    const element = make("li", { class: "stack" }, button);
    this.items.set(key, { element, progress, facts });
    setText(facts, factsOf(series, stack, undefined));
    return element;
  }

  private thumbnail(series: Series, stack: Stack | undefined): HTMLElement {
    const middle = stack?.pictures[Math.floor(stack.pictures.length / 2)];
    const isDocument = stack ? stack.document : !mayHaveImages(series);
    if (isDocument) return make("span", { class: "thumb word" }, series.modality);
    const path = middle ? `${pathOf(middle.instance)}/frames/${middle.frame}` : pathOf(series);
    const image = make("img", { class: "thumb", alt: "", draggable: "false", width: 96, height: 96, decoding: "async" });
    image.dataset.src = `${path}/thumbnail?viewport=192,192`;
    image.addEventListener("error", () => image.replaceWith(make("span", { class: "thumb word" }, series.modality)));
    this.thumbnails.push(image);
    return image;
  }

  /** Lets the pictures come: once the first image is shown, so that nothing stands in its way. */
  showThumbnails(): void {
    for (const image of this.thumbnails.splice(0)) {
      image.loading = "lazy";
      image.src = image.dataset.src ?? "";
    }
  }

  /** Puts the stacks of a series in its place; a series of many stacks is told by the first. */
  setStacks(series: Series, stacks: Stack[]): void {
    const place = this.lists.get(series);
    if (!place || !stacks.length || this.told.has(series)) return;
    this.told.add(series);
    const kept = this.items.get(series.uid);
    if (stacks.length === 1 && stacks[0] && kept) {
      this.items.set(stacks[0].key, kept);
      setText(kept.facts, factsOf(series, stacks[0], undefined));
      return;
    }
    const list = make("ul", { class: "stacks" }, ...stacks.map((stack) => this.item(stack.key, series, stack)));
    place.replaceChildren(list);
  }

  /** Tells how much of a stack is here. */
  progress(stack: Stack): void {
    const item = this.items.get(stack.key);
    if (!item) return;
    const [loaded, all] = [loadedOf(stack), stack.pictures.length];
    item.progress.value = all ? loaded / all : 0;
    item.element.classList.toggle("whole", loaded === all);
    setText(item.facts, factsOf(stack.series, stack, loaded));
  }

  /** Marks the stacks in sight, and the one that is worked with. */
  mark(shown: (Stack | undefined)[], active: Stack | undefined): void {
    for (const item of this.items.values()) item.element.classList.remove("shown", "active");
    for (const stack of shown) if (stack) this.items.get(stack.key)?.element.classList.add("shown");
    if (active) this.items.get(active.key)?.element.classList.add("active");
  }

  /** The keys of all items in their order, for going from one to the next. */
  keys(): string[] {
    const order = [...this.element.querySelectorAll("li.stack")];
    return order.flatMap((element) => [...this.items].find(([, item]) => item.element === element)?.[0] ?? []);
  }
}

/** Whether a study is of somebody else than the one that was opened. */
export function isOther(study: Study, among: Study[]): boolean {
  const first = among[0]?.data ?? {};
  return ["00100020", "00100010"].some((tag) => text(study.data, tag) !== text(first, tag));
}

function studyName(study: Study): string {
  return [dateOf(text(study.data, "00080020")), text(study.data, "00081030")].filter(Boolean).join(" · ");
}

function factsOf(series: Series, stack: Stack | undefined, loaded: number | undefined): string {
  if (stack ? stack.document : !mayHaveImages(series)) return series.modality;
  const all = stack ? stack.pictures.length : series.count;
  const some = loaded !== undefined && loaded < all ? `${loaded}/${all}` : String(all);
  return `${series.modality} · ${some}`;
}
