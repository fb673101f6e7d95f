// The composer: marks what the filter finds as one types, and says why. All judging is done in a worker.

import { WorkerScanner } from "./tamis/worker-scanner.js";
import { scanUpload } from "./tamis/upload.js";
import { categoryText, lang, make, marked, number, onLanguage, percent, size, speak, words } from "./words.js";

const DEBOUNCE_MS = 120;
/** Confidence of the model from which on its reasons are shown, in per mille. */
const SURE = 500;
/** Longest text that is marked as one types, in units; laying out a longer one twice would hold up the typing. */
const MARKED_MAX = 50_000;
const EXAMPLES = {
  fine: "Running late, see you at the station at six?",
  prize: "Congratulations! You have won a prize. Call now to claim your free gift card.",
  hidden: "Y0u have w\u200Bo\u200Bn a pr1ze, c.a.l.l now to cl\u0430im",
  chinese: "恭喜您中奖了，请点击链接领取奖品，并提供验证码。",
};

const $ = (id) => document.getElementById(id);
const box = $("message");
// Only a kit of this place: the Content-Security-Policy allows no other.
const kit = new URL(new URLSearchParams(location.search).get("kit") ?? "default.kit", location.href).href;

let scanner;
let verdict;
let shown = "";
let masked = "";
let ofModel = [];
let length;
let notice;
let asked = 0;
let timer;

function loading(progress) {
  $("load").hidden = false;
  $("load-text").textContent = words().loading;
  if (progress?.total === undefined) $("load-progress").removeAttribute("value");
  else $("load-progress").value = progress.loaded / progress.total;
}

async function start() {
  loading();
  try {
    scanner = await WorkerScanner.start({ url: kit }, { channel: "sms", onProgress: loading });
  } catch (error) {
    notice = { error, headline: "refused" };
    $("load").hidden = true;
    $("update").disabled = false;
    show();
    return;
  }
  afterLoad();
  $("update").disabled = false;
  judge();
}

function afterLoad() {
  $("load").hidden = true;
  const problem = scanner.loaded?.problem;
  notice = problem && problem.code !== "network" ? { error: problem, headline: "kept" } : undefined;
  about();
}

function about() {
  if (scanner === undefined) return;
  const parts = [words().about(number(scanner.info.terms), scanner.info.checksum.slice(0, 8))];
  if (scanner.loaded?.source === "cache") parts.push(words().offline);
  $("about").textContent = parts.join(" · ");
}

/** Judges what is in the box. Answers to what it was before are dropped. */
async function judge() {
  if (scanner === undefined) return;
  const mine = ++asked;
  const text = box.value;
  const options = { channel: $("channel").value };
  try {
    const [answer, sms] = await Promise.all([scanner.scan(text, options), scanner.smsLength(text)]);
    const hidden = answer.action === "mask" ? await scanner.mask(text, options) : "";
    const isSure = unwanted(answer) >= SURE;
    const why = isSure ? await scanner.reasons(text) : [];
    if (mine !== asked) return;
    [verdict, shown, masked, length, ofModel] = [answer, text, hidden, sms, why];
  } catch (error) {
    if (mine !== asked) return;
    verdict = undefined;
    notice = { error, headline: "refused" };
  }
  show();
}

function show() {
  const all = words();
  const status = $("status");
  const isEmpty = box.value === "";
  status.className = "verdict";
  if (notice !== undefined && (verdict === undefined || isEmpty)) {
    status.classList.add("error");
    status.replaceChildren(all[notice.headline], make("small", { lang: "en" }, notice.error.message));
  } else if (verdict === undefined || isEmpty) {
    status.replaceChildren();
  } else {
    status.classList.add(verdict.action);
    const notes = verdict.flags.map((flag) => all.flags[flag]).filter(Boolean);
    if (verdict.action === "mask") notes.push(`${all.masked} ${masked}`);
    status.replaceChildren(all.verdicts[verdict.action], ...notes.map((note) => make("small", {}, note)));
  }
  mirror();
  $("reasons").replaceChildren(...(verdict === undefined || isEmpty ? [] : [...reasons(verdict, shown), ...modelReason(verdict, shown)]));
  const isChat = $("channel").value === "chat";
  $("length").textContent = length === undefined || isEmpty ? "" : isChat ? all.characters(number(shown.length)) : all.sms(length);
  const labels = { flag: all.sendAnyway, mask: all.sendMasked, hold: all.sendHold, block: all.sendBlock };
  const send = $("send");
  send.textContent = (!isEmpty && labels[verdict?.action]) || all.send;
  send.disabled = verdict === undefined || isEmpty || shown !== box.value;
  // Still in the order of the keyboard, so that its reason is read.
  if (verdict?.action === "block" && !isEmpty) send.setAttribute("aria-disabled", "true");
  else send.removeAttribute("aria-disabled");
}

/** Marks lie under the text of the box. While the answer lags behind the typing, marks before the change stay. */
function mirror() {
  const text = box.value;
  if (text.length > MARKED_MAX) {
    $("mirror").replaceChildren();
    return;
  }
  let matches = verdict?.matches ?? [];
  if (text !== shown) {
    let same = 0;
    while (same < text.length && text[same] === shown[same]) same += 1;
    matches = matches.filter((match) => match.end <= same);
  }
  $("mirror").replaceChildren(...marked(text, matches), "\n");
  $("mirror").scrollTop = box.scrollTop;
}

const unwanted = ({ confidence }) => (confidence?.advertising ?? 0) + (confidence?.fraud ?? 0);

/** What the model thinks, if it is sure, and the words that it goes by. */
function modelReason(answer, text) {
  if (unwanted(answer) < SURE) return [];
  const all = words();
  const { advertising, fraud } = answer.confidence;
  const said = ofModel.filter(({ weight, signal }) => weight > 0 && signal === undefined).map(({ start, end }) => text.slice(start, end));
  return [
    make(
      "li",
      {},
      make("h3", {}, all.model(fraud > advertising), make("span", { class: "badge flag" }, `${Math.round(unwanted(answer) / 10)} %`)),
      make("p", { class: "quiet" }, all.modelWords([...new Set(said)].slice(0, 5).join(all.and))),
    ),
  ];
}

function reasons({ matches }, text) {
  const all = words();
  const groups = new Map();
  for (const match of matches) {
    const group = groups.get(match.category) ?? [];
    groups.set(match.category, group);
    group.push(match);
  }
  const order = ["block", "hold", "mask", "flag", "allow"];
  const strictest = (group) => Math.min(...group.map((match) => order.indexOf(match.action)));
  return [...groups].sort(([, a], [, b]) => strictest(a) - strictest(b)).map(([category, group]) => {
    const { title, text: why } = categoryText(scanner.texts, category);
    const action = order[strictest(group)];
    const places = new Map(group.map((match) => [`${match.start} ${match.end}`, match]));
    // A place within another says nothing new.
    for (const [key, a] of places) {
      if ([...places.values()].some((b) => a !== b && b.start <= a.start && a.end <= b.end)) places.delete(key);
    }
    const chips = [...places.values()].slice(0, 12).map((match) => {
      const word = text.slice(match.start, match.end);
      const chip = make("button", { type: "button", class: "chip", "aria-label": all.show(word) }, word.length > 60 ? `${word.slice(0, 60)}…` : word);
      chip.addEventListener("click", () => {
        box.focus();
        box.setSelectionRange(match.start, match.end);
      });
      return chip;
    });
    if (places.size > chips.length) chips.push(make("span", { class: "quiet" }, all.more(number(places.size - chips.length))));
    const evidence = [...new Set(group.flatMap((match) => match.evidence))].map((name) => all.evidence[name]);
    const details = [`${all.severity} ${Math.max(...group.map((match) => match.severity))}`];
    if (evidence.length > 0) details.push(all.written(evidence.join(all.and)));
    if (group[0].clauses.length > 0) details.push(`${all.clauses} ${group[0].clauses.join(", ")}`);
    return make(
      "li",
      {},
      make("h3", {}, title, make("span", { class: `badge ${action}` }, all.actions[action])),
      make("p", {}, why),
      make("div", { class: "words" }, ...chips),
      make("p", { class: "quiet" }, details.join(" · ")),
    );
  });
}

function send() {
  if (verdict === undefined || shown !== box.value || verdict.action === "block" || shown === "") return;
  const all = words();
  const text = verdict.action === "mask" ? masked : shown;
  $("sent-empty").hidden = true;
  $("sent").append(make("li", { class: verdict.action }, text, make("span", { "data-delivered": verdict.action }, all.delivered[verdict.action])));
  box.value = "";
  box.focus();
  judge();
}

box.addEventListener("input", () => {
  mirror();
  $("send").disabled = true;
  clearTimeout(timer);
  timer = setTimeout(judge, DEBOUNCE_MS);
});
box.addEventListener("scroll", () => {
  $("mirror").scrollTop = box.scrollTop;
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
});
$("send").addEventListener("click", send);
$("channel").addEventListener("change", judge);
for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", () => {
    box.value = EXAMPLES[button.dataset.example];
    box.focus();
    judge();
  });
}
$("update").addEventListener("click", async () => {
  $("update").disabled = true;
  if (scanner === undefined) {
    await start();
    return;
  }
  try {
    await scanner.swap({ url: kit });
    afterLoad();
  } catch (error) {
    notice = { error, headline: "kept" };
    $("load").hidden = true;
  }
  $("update").disabled = false;
  await judge();
  if (notice === undefined && box.value === "") {
    $("status").className = "verdict";
    $("status").textContent = words().updated;
  }
});

// The file box.
let upload;

async function check(file) {
  upload?.abort();
  const own = new AbortController();
  upload = own;
  const all = words();
  $("upload").hidden = false;
  $("upload-stop").hidden = false;
  $("upload-name").textContent = file.name;
  $("upload-matches").replaceChildren();
  $("upload-progress").value = 0;
  const status = $("upload-status");
  status.className = "verdict plain";
  try {
    if (scanner === undefined) throw notice?.error ?? new Error(all.loading);
    const result = await scanUpload(scanner, file, {
      channel: "upload",
      signal: own.signal,
      onProgress: ({ loaded, total, found }) => {
        $("upload-progress").value = total > 0 ? loaded / total : 1;
        status.textContent = words().checking(percent(total > 0 ? loaded / total : 1));
        const room = 50 - $("upload-matches").childElementCount;
        $("upload-matches").append(...found.slice(0, Math.max(0, room)).map(uploadRow));
      },
    });
    const places = all.places(number(result.matches.length) + (result.capped ? "+" : ""));
    status.className = `verdict ${result.action}`;
    status.textContent = result.matches.length > 0 ? all.fileDone(places, size(result.bytes)) : all.fileFine(size(result.bytes));
  } catch (error) {
    if (upload !== own) return;
    status.className = error.code === "aborted" ? "verdict plain" : "verdict error";
    status.textContent = error.code === "aborted" ? all.stopped : error.message;
  }
  $("upload-stop").hidden = true;
}

function uploadRow(match) {
  const { title } = categoryText(scanner.texts, match.category);
  const { before, text, after } = match.excerpt;
  return make(
    "li",
    {},
    make("span", { class: `badge ${match.action}` }, words().actions[match.action]),
    ` ${title}`,
    make("p", {}, `…${before}`, make("mark", { class: match.action }, text), `${after}…`),
  );
}

$("file").addEventListener("change", () => {
  if ($("file").files.length > 0) check($("file").files[0]);
  $("file").value = "";
});
$("upload-stop").addEventListener("click", () => upload?.abort());
for (const type of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(type, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", type === "dragover");
    if (type === "drop" && event.dataTransfer.files.length > 0) check(event.dataTransfer.files[0]);
  });
}

onLanguage(() => {
  show();
  about();
  for (const node of document.querySelectorAll("[data-delivered]")) node.textContent = words().delivered[node.dataset.delivered];
  document.title = lang() === "zh" ? "Tamis · 写消息" : "Tamis · Compose";
});
speak();
start();
