// The try-out of rules on an object that is only thought of: its attributes go to the server, what each rule makes of it comes back.
const page = document.getElementById("imagined");
const form = page.querySelector("form");
const answer = page.querySelector("[data-answer]");
const wrong = form.querySelector(".wrong");
const said = answer.dataset;
const KINDS = { "took it": ["good", said.took], "did not match": ["plain", said.did], disabled: ["plain", said.disabled], "not reached": ["warn", said.not] };

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.hidden = true;
  try {
    show(await ask(new FormData(form)));
  } catch (error) {
    wrong.textContent = error.message;
    wrong.hidden = false;
  }
});

async function ask(given) {
  const attributes = {};
  for (const line of given.get("attributes").split("\n")) {
    const [keyword, ...value] = line.split(/[=:\t]/);
    if (keyword.trim()) attributes[keyword.trim()] = value.join("=").trim();
  }
  const body = { attributes, from: given.get("from"), to: given.get("to") };
  if (given.get("at")) body.at = new Date(given.get("at")).toISOString();
  const response = await fetch("/routing/explain", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const told = await response.json();
  if (!response.ok) throw new Error(told.detail);
  return told;
}

function show(told) {
  const places = told.destinations.map((one) => (one.kept_by ? fill(said.kept, { name: one.destination, why: one.kept_by }) : fill(said.to, { name: one.destination, rule: one.rule })));
  answer.replaceChildren(element("ul", "verdicts", ...told.rules.map(ruleOf)), element("p", "", places.join(" ") || said.nowhere));
}

function ruleOf(rule) {
  const [kind, word] = KINDS[rule.state];
  const checks = rule.conditions.map((check) => element("li", check.holds ? "holds" : "fails", element("b", "", check.holds ? "✓ " : "✗ "), `${check.what}: `, fill(said.wants, { wanted: check.wanted, found: check.found || said.nothing })));
  return element("li", "", element("span", `pill ${kind}`, word), " ", element("b", "", rule.rule), element("ul", "", ...checks));
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
