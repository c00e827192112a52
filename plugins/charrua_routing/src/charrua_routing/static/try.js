// The try-out of rules: on an object that is only thought of, and of other rules on what has come. The server answers; nothing is sent.
const imagined = document.getElementById("imagined");
const past = document.getElementById("past");
const STATES = { "took it": ["good", "took"], "did not match": ["plain", "did"], disabled: ["plain", "disabled"], "not reached": ["warn", "not"] };

on(imagined, explain, showExplained);
on(past, replay, showReplayed);

/** Answer the form of a section: ask, then show what came. */
function on(section, ask, show) {
  const form = section.querySelector("form");
  const wrong = form.querySelector(".wrong");
  const answer = section.querySelector("[data-answer]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    try {
      answer.replaceChildren(...show(await ask(new FormData(form)), answer.dataset));
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  });
}

function explain(given) {
  const attributes = {};
  for (const line of given.get("attributes").split("\n")) {
    const [, keyword, value] = /^\s*(\w+)\s*[=:\t]?\s*(.*?)\s*$/.exec(line) ?? [];
    if (keyword) attributes[keyword] = value;
  }
  const body = { attributes, from: given.get("from"), to: given.get("to") };
  if (given.get("at")) body.at = new Date(given.get("at")).toISOString();
  return post("/routing/explain", body);
}

function replay(given) {
  const since = new Date(Date.now() - given.get("days") * 86_400_000).toISOString();
  return post("/routing/replay", { rules: JSON.parse(given.get("rules")), since });
}

async function post(path, body) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const told = await response.json();
  if (!response.ok) throw new Error(told.detail);
  return told;
}

function showExplained(told, said) {
  const places = told.destinations.map((one) => (one.kept_by ? fill(said.kept, { name: one.destination, why: ours(one.kept_by, said) }) : fill(said.to, { name: one.destination, rule: one.rule })));
  return [element("ul", "verdicts", ...told.rules.map((rule) => ruleOf(rule, said))), element("p", "", places.join(" ") || said.nowhere)];
}

function ruleOf(rule, said) {
  const [kind, word] = STATES[rule.state];
  const checks = rule.conditions.map((check) => element("li", check.holds ? "holds" : "fails", element("b", "", check.holds ? "✓ " : "✗ "), `${ours(check.what, said)}: `, fill(said.wants, { wanted: check.wanted, found: check.found || said.nothing })));
  return element("li", "", element("span", `pill ${kind}`, said[word]), " ", element("b", "", rule.rule), element("ul", "", ...checks));
}

/** A word of the server's in the page's language; what people have written stays as it is. */
function ours(text, said) {
  return JSON.parse(said.words)[text] ?? text;
}

function showReplayed(told, said) {
  const counts = (found, text) => Object.entries(found).map(([name, count]) => element("li", "", fill(text, { name, count })));
  const lines = [...counts(told.gained, said.gained), ...counts(told.lost, said.lost), ...counts(told.taken, said.took)];
  return [element("p", "", element("b", "", fill(said.looked, told)), told.cut ? ` ${said.cut}` : ""), element("ul", "", ...lines)];
}

function element(tag, kind, ...children) {
  const made = document.createElement(tag);
  made.className = kind;
  made.append(...children);
  return made;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
