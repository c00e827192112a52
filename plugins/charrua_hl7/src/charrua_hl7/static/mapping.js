// The editor of a mapping: rows that are added, moved and taken away; a bench that says at once what a message becomes.
const PAUSE_MS = 350;
const STEP = "ScheduledProcedureStepSequence.";
const page = document.querySelector("[data-mapping]");
const code = page.dataset.mapping;
const said = JSON.parse(page.dataset.words);
const form = page.querySelector("#lines");
const list = form.querySelector("[data-lines]");
const bench = page.querySelector("[data-bench]");
const answer = bench.querySelector("[data-answer]");
const general = form.querySelector("[data-general]");
const told = form.querySelector("[data-told]");
let waiting = 0;
let asked = 0;
let changed = false;

for (const row of rows()) dress(row);
renumber();
form.addEventListener("submit", save);
form.addEventListener("input", touched);
form.querySelector("[data-add]").addEventListener("click", () => add());
form.querySelector("[data-find]").addEventListener("input", (event) => find(event.target.value));
bench.addEventListener("input", later);
for (const button of page.querySelectorAll("[data-load]")) button.addEventListener("click", () => load(Number(button.dataset.load)));
window.addEventListener("beforeunload", (event) => changed && event.preventDefault());
void attempt();

function rows() {
  return [...list.children];
}

function field(row, name) {
  return row.querySelector(`[name=${name}]`);
}

/** Give a row its buttons and keys. */
function dress(row) {
  const further = row.querySelector(".further");
  const more = row.querySelector("[data-more]");
  const open = (shown) => {
    further.hidden = !shown;
    more.setAttribute("aria-expanded", String(shown));
  };
  if (field(row, "values").value) open(true);
  const to = field(row, "to");
  const toItsEnd = () => (to.scrollLeft = to.scrollWidth); // the attribute stands after its sequences
  to.addEventListener("blur", toItsEnd);
  toItsEnd();
  more.addEventListener("click", () => open(further.hidden));
  row.querySelector("[data-up]").addEventListener("click", (event) => move(row, -1, event.currentTarget));
  row.querySelector("[data-down]").addEventListener("click", (event) => move(row, 1, event.currentTarget));
  row.querySelector("[data-drop]").addEventListener("click", () => drop(row));
  row.addEventListener("keydown", (event) => {
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      move(row, event.key === "ArrowUp" ? -1 : 1, event.target);
    }
  });
}

function add(line) {
  const row = form.querySelector("[data-row]").content.firstElementChild.cloneNode(true);
  if (line) fillRow(row, line);
  list.append(row);
  dress(row);
  renumber();
  if (!line) {
    find("");
    field(row, "to").focus();
  }
  return row;
}

function fillRow(row, line) {
  field(row, "to").value = line.to;
  field(row, "from").value = line.from.join(", ");
  field(row, "as").value = line.as;
  field(row, "default").value = line.default ?? "";
  field(row, "note").value = line.note ?? "";
  field(row, "values").value = Object.entries(line.values ?? {}).map(([old, now]) => `${old} = ${now}`).join(", ");
}

function move(row, by, focus) {
  const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  if (by < 0) other.before(row);
  else other.after(row);
  focus.focus();
  renumber();
  touched();
}

function drop(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  renumber();
  touched();
  (next ? next.querySelector("[data-drop]") : form.querySelector("[data-add]")).focus();
}

function renumber() {
  rows().forEach((row, number) => {
    row.querySelector("[data-number]").textContent = String(number + 1);
    row.id = `line-${number + 1}`;
  });
}

function find(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) form.querySelector("[data-find]").value = "";
  for (const row of rows()) row.hidden = ![field(row, "to").value, field(row, "from").value].some((one) => one.toLowerCase().includes(wanted));
}

function touched(event) {
  if (event?.target.matches("[data-find]")) return;
  changed = true;
  told.textContent = said.changed;
  later();
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(() => void attempt(), PAUSE_MS);
}

/** The lines as they are written in the rows. */
function lines() {
  return rows().map((row) => {
    const line = { to: field(row, "to").value.trim(), from: parted(field(row, "from").value), as: field(row, "as").value };
    const values = Object.fromEntries(parted(field(row, "values").value).map((pair) => pair.split("=").map((one) => one.trim())).filter((pair) => pair.length === 2));
    if (Object.keys(values).length) line.values = values;
    for (const name of ["default", "note"]) if (field(row, name).value.trim()) line[name] = field(row, name).value.trim();
    return line;
  });
}

function parted(text) {
  return text.split(",").map((one) => one.trim()).filter(Boolean);
}

/** Ask what the message becomes, and show it; of several answers the last that was asked for counts. */
async function attempt() {
  const mine = ++asked;
  const chosen = bench.querySelector("[name=message_id]")?.value;
  const message = bench.querySelector("[name=message]").value;
  if (!chosen && !message.trim()) return show(mine, element("p", "soft", said.nothing));
  const body = { lines: lines(), ...(chosen ? { message_id: Number(chosen) } : { message }) };
  const found = await ask("POST", "/hl7/mappings/try", body).catch((error) => ({ failed: error.message }));
  if (mine !== asked) return;
  if (found.failed) return show(mine, element("p", "wrong", found.failed));
  mark(found.problems);
  tell(found.entries[0]);
  show(mine, ...shown(found));
}

function show(mine, ...children) {
  if (mine === asked) answer.replaceChildren(...children);
}

async function ask(method, path, body) {
  const response = await fetch(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
  if (!response) throw new Error(said.unreachable);
  const read = await response.json();
  if (!response.ok) throw Object.assign(new Error(read.detail), { problems: read.problems });
  return read;
}

/** Mark what is wrong at its line. */
function mark(problems) {
  general.hidden = true;
  for (const row of rows()) {
    const place = row.querySelector("[data-wrong]");
    place.hidden = true;
    place.textContent = "";
    for (const one of row.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  }
  for (const { line, part, sentence } of problems) {
    const row = line === null ? null : rows()[line];
    const place = row ? row.querySelector("[data-wrong]") : general;
    place.textContent = place.textContent ? `${place.textContent}; ${sentence}` : sentence;
    place.hidden = false;
    const input = row && (field(row, part) ?? field(row, "to"));
    input?.setAttribute("aria-invalid", "true");
    if (row) row.hidden = false;
  }
}

/** Tell at each line what it gave of the first step. */
function tell(entry) {
  for (const row of rows()) {
    const note = row.querySelector(".further").hidden ? field(row, "note").value : "";
    row.querySelector("[data-gave]").replaceChildren(...(note ? [element("span", "", note)] : []));
  }
  for (const one of entry?.passed ?? []) gave(one, "passed", fill(said.passed, one));
  for (const one of entry?.given ?? []) {
    const values = one.values.map(written).join(" · ");
    const sentence = one.deleted ? fill(said.deleted, one) : one.from ? fill(said.gave, { ...one, values }) : fill(said.defaulted, { values });
    gave(one, "", sentence);
  }
}

function gave(one, kind, sentence) {
  const place = rows()[one.line]?.querySelector("[data-gave]");
  if (!place) return;
  if (kind) place.append(element("span", kind, sentence));
  else place.prepend(element("b", "", sentence));
}

function shown(found) {
  if (found.problems.length) return [element("p", "wrong", said.mend)];
  const parts = [];
  if (found.type && !found.type.startsWith(code)) parts.push(element("p", "wrong", fill(said.other, found)));
  if (found.refused) parts.push(element("p", "wrong", fill(said.refused, { sentence: located(found.refused) })));
  found.entries.forEach((entry, number) => parts.push(...entryOf(entry, number)));
  if (found.structure) parts.push(structureOf(found.structure));
  return parts;
}

function located({ sentence, location }) {
  return location ? `${sentence} (${location.replaceAll("^", "-")})` : sentence;
}

function entryOf(entry, number) {
  const title = entry.control ? `${fill(said.step, { number: number + 1 })} · ${fill(said.does, entry)}` : said.patient;
  const lineOf = new Map(entry.given.map((one) => [one.to, one.line]));
  const table = element("table", "small", element("tbody", "", ...linesOf(entry.attributes, "", lineOf)));
  return [element("h3", "", title), element("div", "scroll", table)];
}

/** One row for each attribute, those of items with their sequence before them. */
function linesOf(attributes, above, lineOf) {
  return Object.entries(attributes).flatMap(([keyword, value]) => {
    const path = above + keyword;
    const nested = Array.isArray(value) && value.some((one) => typeof one === "object");
    if (nested && !lineOf.has(path)) return value.flatMap((item) => linesOf(item, `${path}.`, lineOf));
    return [attributeRow(path.replace(STEP, ""), written(value), lineOf.get(path))];
  });
}

function attributeRow(keyword, value, line) {
  const row = element("tr", "", element("td", "", ...breakable(keyword)), element("td", "wraps", value));
  const place = element("td", "num");
  if (line !== undefined) {
    const link = element("a", "linked", fill(said.line, { number: line + 1 }));
    link.href = `#line-${line + 1}`;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      find("");
      rows()[line].scrollIntoView({ block: "center" });
      field(rows()[line], "from").focus({ preventScroll: true });
    });
    place.append(link);
  }
  row.append(place);
  return row;
}

/** A keyword that may break before its words. */
function breakable(keyword) {
  return keyword.split(/(?<=[a-z.])(?=[A-Z])/).flatMap((word) => [word, document.createElement("wbr")]);
}

function written(value) {
  if (Array.isArray(value)) return value.map(written).join(" · ");
  if (value && typeof value === "object") return Object.values(value).map(written).join(" ");
  return String(value);
}

function structureOf({ version, findings }) {
  const items = findings.length ? findings.map((one) => element("li", "", one)) : [element("li", "", said.clean)];
  return element("details", "more", element("summary", "", `${fill(said.structure, { version })}: ${findings.length}`), element("ul", "soft", ...items));
}

/** Check first, say what would differ, then save. */
async function save(event) {
  event.preventDefault();
  try {
    const edited = lines();
    const checked = await ask("POST", `/hl7/mappings/${code}/check`, { lines: edited });
    mark(checked.problems);
    if (checked.problems.length) return toWrong();
    if (!(await agreed(checked.kept))) return;
    const kept = await ask("PUT", `/hl7/mappings/${code}`, { version: Number(page.dataset.version), lines: edited });
    changed = false;
    page.dataset.version = kept.version;
    told.textContent = said.saved;
    setTimeout(() => location.reload(), 700);
  } catch (error) {
    general.textContent = error.message;
    general.hidden = false;
    general.scrollIntoView({ block: "center" });
  }
}

function toWrong() {
  const wrong = form.querySelector("[aria-invalid]") ?? general;
  wrong.scrollIntoView({ block: "center" });
  wrong.focus({ preventScroll: true });
}

/** Whether what it changes of messages that have come is wanted. */
function agreed(kept) {
  if (!kept.differ) return true;
  const dialog = page.querySelector("[data-differing]");
  const items = kept.messages.map((one) => element("li", "", one.refused ? fill(said.wouldfail, { ...one, sentence: one.refused }) : fill(said.message, { ...one, attributes: one.attributes.join(", ") })));
  const counts = { differ: kept.differ, looked: kept.looked_at };
  dialog.querySelector("[data-list]").replaceChildren(element("p", "", fill(said.differ, counts)), element("ul", "", ...items));
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "save"), { once: true }));
}

/** Put the lines of a version into the editor; nothing is saved. */
async function load(version) {
  const response = await fetch(`/hl7/mappings/${code}/versions`);
  const found = (await response.json()).find((one) => one.version === version);
  if (!found) return;
  list.replaceChildren();
  for (const line of found.lines) add(line);
  touched();
  told.textContent = fill(said.loaded, { version });
  form.scrollIntoView();
}

function element(tag, kind, ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
