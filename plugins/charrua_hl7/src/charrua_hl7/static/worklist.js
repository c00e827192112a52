// The worklist: found while typing, renewed by itself, walked through with the keyboard; dialogs and the look-up of a patient.
const EVERY_MS = 10_000;
const PAUSE_MS = 150;
const list = document.querySelector("[data-worklist]");

for (const button of document.querySelectorAll("[data-opens]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
}
for (const button of document.querySelectorAll("[data-closes]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
for (const place of document.querySelectorAll("[data-patient]")) lookUp(place);
if (list) follow(list);

/** Fill in who a patient ID is, where the archive knows it; what somebody has typed stays. */
function lookUp(place) {
  const field = (name) => place.querySelector(`[name=${name}]`);
  const said = place.querySelector("[data-said]");
  field("patid").addEventListener("change", async () => {
    const id = field("patid").value.trim();
    said.textContent = "";
    if (!id) return;
    const answer = await fetch(`${place.dataset.patient}?id=${encodeURIComponent(id)}`).catch(() => null);
    if (!answer?.ok) return;
    const told = await answer.json();
    const name = typed(told.PatientName ?? "");
    said.textContent = told.known ? place.dataset.known.replace("{name}", name.replaceAll("^", " ")) : place.dataset.unknown;
    if (!told.known) return;
    const values = { patname: name, patsex: told.PatientSex, patbd: dayOf(told.PatientBirthDate) };
    for (const [name, value] of Object.entries(values)) if (!field(name).value) field(name).value = value;
  });
}

/** A name as people type it, where it has a family and a given name alone: `Silva, Ana`. */
function typed(name) {
  return /^[^^=,]+\^[^^=,]+$/.test(name) ? name.replace("^", ", ") : name;
}

function dayOf(date) {
  return /^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : "";
}

/** Keep the list to what is asked for. */
function follow(page) {
  const form = page.querySelector("form.search");
  const wrong = page.querySelector("[data-wrong]");
  let waiting = 0;
  let asked = 0;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, PAUSE_MS);
  });
  document.addEventListener("keydown", (event) => press(event, page, form));
  const look = () => {
    if (document.visibilityState === "visible" && !document.querySelector("dialog[open]")) void renew(location.href, true);
  };
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);

  function search() {
    clearTimeout(waiting);
    const query = new URLSearchParams(location.search);
    for (const [name, value] of new FormData(form)) {
      if (value.trim()) query.set(name, value.trim());
      else query.delete(name);
    }
    query.delete("after");
    // Days that somebody types take the place of those that were chosen, and the other way round.
    if (query.has("from") || query.has("to")) query.delete("date");
    const address = `${location.pathname}?${query}`;
    history.replaceState(null, "", address);
    void renew(address, false);
  }

  async function renew(address, quietly) {
    const turn = ++asked;
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      if (turn !== asked) return;
      if (answer.redirected) return location.reload();
      const shown = new DOMParser().parseFromString(await answer.text(), "text/html");
      page.querySelector("[data-lost]").hidden = true;
      wrong.hidden = answer.ok;
      if (answer.ok) put(shown, quietly);
      else wrong.querySelector("span").textContent = shown.querySelector("main p")?.textContent ?? answer.statusText;
    } catch {
      page.querySelector("[data-lost]").hidden = false;
    }
  }
}

/** Put what was answered into the page: the entries and the line above them, without a move where nothing has changed. */
function put(shown, quietly) {
  for (const id of ["worklist-tools", "entries"]) {
    const [now, then] = [document.getElementById(id), shown.getElementById(id)];
    if (!then || now.innerHTML === then.innerHTML) continue;
    const known = new Set([...now.querySelectorAll("[data-row]")].map((row) => row.dataset.row));
    const focused = document.activeElement?.closest("[data-row]")?.dataset.row;
    now.replaceChildren(...then.childNodes);
    for (const row of now.querySelectorAll("[data-row]")) {
      if (quietly && !known.has(row.dataset.row)) row.classList.add("new");
      if (row.dataset.row === focused) row.querySelector("a")?.focus();
    }
  }
}

/** `j` and `k`, or the arrows, walk through the entries; `/` goes to the search, `n` adds an entry. */
function press(event, page, form) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input, textarea, select");
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape" && typing) return typing.blur();
  if (typing) return;
  if (event.key === "/") form.elements.search.focus();
  else if (event.key === "n") page.querySelector("[data-opens]")?.click();
  else if (step) walk(page, step);
  else return;
  event.preventDefault();
}

function walk(page, step) {
  const links = [...page.querySelectorAll("[data-row]")].map((row) => row.querySelector("a")).filter(Boolean);
  const at = links.indexOf(document.activeElement);
  links.at(at < 0 ? (step > 0 ? 0 : -1) : Math.min(Math.max(at + step, 0), links.length - 1))?.focus();
}
