// Trying out a change to the lists: what it does to messages, before it is anybody's. The work is in try-worker.js.

import { categoryText, make, marked, number, onLanguage, speak, words } from "./words.js";

const DEBOUNCE_MS = 250;
const SAMPLE_TERMS = "zorbleflux\nfree voucher&{claim|code}\n{cheap|quick} loan~student loan\n";
const SAMPLE_MESSAGES = [
  "See you at the station at six?",
  "Z0rb1eflux is here, ask for the price",
  "Claim your F.R.E.E voucher today",
  "A quick loan, no questions asked",
  "How does a student loan work? Is there a quick loan?",
  "You have won a prize, call now to claim",
  "恭喜您中奖了，请点击链接领取奖品",
];

const $ = (id) => document.getElementById(id);
const OWN_HEAD = (category, severity) => `format = 1\nlist = { id = "own" }\n[[group]]\ncategory = "${category}"\nseverity = ${severity}\nterms = '''\n`;
const OWN_LINES = OWN_HEAD("", 1).split("\n").length - 1;

const worker = new Worker("try-worker.js", { type: "module", name: "lists" });
let files;
let texts = {};
let edited = new Map([["", SAMPLE_TERMS]]);
let current = "";
let answer;
let timer;
let asked = 0;
let failed;

const isList = (path) => path.includes("/");

/** The list that is edited, in TOML. */
function source() {
  if (current !== "") return { path: current, text: $("terms").value };
  return { path: "own.toml", text: `${OWN_HEAD($("category").value, $("severity").value)}${$("terms").value}\n'''\n` };
}

function ask() {
  if (files === undefined) return;
  const messages = $("messages").value.split("\n").filter((line) => line.trim() !== "");
  if (current === "" && $("terms").value.includes("'''")) {
    answer = { ...answer, diagnostics: [{ level: "error", code: "", message: words().apostrophes, help: "", line: 1, column: 1 }], good: false };
    show();
    return;
  }
  worker.postMessage({ id: ++asked, edit: source(), messages, channel: $("channel").value });
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(ask, DEBOUNCE_MS);
}

worker.onmessage = ({ data }) => {
  if (data.files !== undefined) {
    ({ files, texts } = data);
    fill();
    ask();
  } else if (data.error !== undefined) {
    failed = data.error;
    show();
  } else if (data.id === asked) {
    failed = undefined;
    answer = data;
    show();
  }
};
worker.onerror = (event) => {
  failed = { message: event.message ?? "the worker did not load" };
  show();
};

function fill() {
  $("which").append(...Object.keys(files).filter(isList).map((path) => make("option", { value: path }, path)));
  categories();
}

function categories() {
  const chosen = $("category").value || "custom";
  const ids = Object.keys(texts);
  $("category").replaceChildren(...ids.map((id) => make("option", { value: id }, categoryText(texts, id).title)));
  $("category").value = ids.includes(chosen) ? chosen : (ids[0] ?? "");
}

function show() {
  const all = words();
  const status = $("list-status");
  status.className = "verdict";
  if (failed !== undefined) {
    status.classList.add("error");
    status.replaceChildren(all.refused, make("small", {}, failed.message));
    return;
  }
  if (answer === undefined) return;
  const errors = answer.diagnostics.filter((found) => found.level === "error");
  if (errors.length > 0) {
    status.classList.add("error");
    status.replaceChildren(all.wrong(errors.length), make("small", {}, all.lastGood));
  } else {
    status.replaceChildren(all.compiled(number(answer.terms), number(Math.max(1, Math.round(answer.ms)))));
  }
  const shift = current === "" ? OWN_LINES : 0;
  $("diagnostics").replaceChildren(
    ...answer.diagnostics.slice(0, 50).map((found) => {
      const line = Math.max(1, found.line - shift);
      const place = make("button", { type: "button" }, all.line(line, found.column));
      place.addEventListener("click", () => goTo(line, found.column));
      return make("li", { class: found.level }, place, ` ${found.message}`, make("p", {}, found.help));
    }),
  );
  rows();
}

function goTo(line, column) {
  const box = $("terms");
  const lines = box.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const place = start + [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
  box.focus();
  box.setSelectionRange(place, start + (lines[line - 1]?.length ?? 0));
}

const badge = (action) => make("span", { class: `badge ${action}` }, words().actions[action]);
const key = (verdict) => JSON.stringify([verdict.action, verdict.matches.map(({ start, end, term, list }) => [start, end, term, list])]);

function rows() {
  const all = words();
  const judged = answer.rows ?? [];
  const isChanged = ({ before, after }) => key(before) !== key(after);
  const changed = judged.filter(isChanged).length;
  $("summary").className = "verdict plain";
  $("summary").textContent = judged.length > 0 ? all.summary(number(judged.length), number(changed)) : "";
  const visible = judged.filter((row) => !$("changed").checked || isChanged(row)).slice(0, 500);
  $("rows").replaceChildren(
    ...visible.map((row) => {
      const { message, before, after } = row;
      const had = new Set(before.matches.map(({ term, list }) => `${list}: ${term}`));
      const has = new Set(after.matches.map(({ term, list }) => `${list}: ${term}`));
      const why = [
        ...[...has].map((term) => `${had.has(term) ? "" : "+ "}${term}`),
        ...[...had].filter((term) => !has.has(term)).map((term) => `− ${term}`),
      ];
      return make(
        "tr",
        isChanged(row) ? { class: "changed" } : {},
        make("td", {}, ...marked(message, after.matches)),
        make("td", { "data-column": all.columnBefore }, badge(before.action)),
        make("td", { "data-column": all.columnAfter }, badge(after.action)),
        make("td", {}, ...why.map((line) => make("div", { class: "quiet" }, line))),
      );
    }),
  );
}

$("which").addEventListener("change", () => {
  edited.set(current, $("terms").value);
  current = $("which").value;
  $("own").hidden = current !== "";
  $("terms").value = edited.get(current) ?? files[current];
  ask();
});
$("terms").addEventListener("input", later);
$("messages").addEventListener("input", later);
for (const id of ["channel", "category", "severity"]) $(id).addEventListener("change", ask);
$("changed").addEventListener("change", show);

onLanguage(() => {
  document.title = `Tamis · ${words().navTry}`;
  if (files !== undefined) categories();
  show();
});
$("terms").value = SAMPLE_TERMS;
$("messages").value = SAMPLE_MESSAGES.join("\n");
speak();
