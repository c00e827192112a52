/** Elements, made without markup. */

type Attributes = Record<string, string | number | boolean | undefined>;

/** Makes an element; attributes that are undefined or false are left out. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** The element of the page with this identifier. */
export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as Kind;
}

/** Sets the text of an element where it is another. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

let clearing = 0;

/** Tells something in passing, to eyes and to screen readers. */
export function tell(text: string): void {
  const element = byId("viewer-told");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(clearing);
  clearing = window.setTimeout(() => (element.hidden = true), 6000);
}
