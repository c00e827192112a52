/** The words that scripts show, in the language of the page: English text → translation, given by the server with the page. */

const given: Record<string, string> = read("words");

function read(id: string): Record<string, string> {
  const element = document.getElementById(id);
  return element?.textContent ? JSON.parse(element.textContent) : {};
}

/** The text in the page's language; `{name}` in it stands for what `values` has under that name. */
export function t(english: string, values: Record<string, string | number> = {}): string {
  const text = given[english] ?? english;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}
