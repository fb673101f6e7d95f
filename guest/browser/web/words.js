// What the pages say, in English and Chinese, and showing it.

const WORDS = {
  en: {
    skip: "Skip to the message", skipTerms: "Skip to the list", pages: "Pages", language: "Language", navComposer: "Compose", navTry: "Try lists",
    title: "Checked before it is sent", intro: "The filter runs in this page. Nothing you type leaves it until you send.",
    compose: "New message", channel: "Sent as", channelSms: "SMS", channelChat: "Chat", channelUpload: "Upload", message: "Message",
    placeholder: "Write a message…", send: "Send", sendMasked: "Send masked", sendHold: "Send for review", sendAnyway: "Send anyway", sendBlock: "Cannot be sent",
    examples: "Examples", exampleFine: "A plain one", examplePrize: "A prize", exampleHidden: "In disguise", exampleChinese: "In Chinese",
    sent: "Outbox", sentEmpty: "What you send appears here, as it would arrive.", upload: "Check a file", choose: "Choose a text file", drop: "or drop it here",
    stop: "Stop", uploadProgress: "Progress of the check", update: "Load the lists again", reasonsLabel: "Why", loading: "Loading the lists…",
    about: (terms, name) => `Terms: ${terms} · lists ${name}`, offline: "offline, with the last good lists", updated: "The lists are loaded again.",
    kept: "The lists that the server gives cannot be used; the last good ones go on.", refused: "The lists cannot be used.",
    actions: { allow: "fine", flag: "flagged", mask: "masked", hold: "held", block: "blocked" },
    verdicts: {
      allow: "Nothing found.", flag: "This is unwelcome to some. You can change it, or send it anyway; it will be marked.",
      mask: "The marked words will be replaced by stars.", hold: "If you send this, a person will look at it first.", block: "This cannot be sent. Change the marked words.",
    },
    masked: "It will read:", flags: { truncated: "It is longer than 1 MiB; only the beginning was checked.", matches_capped: "Not all places are shown.", invalid_utf8: "" },
    clauses: "Clauses", severity: "Severity", list: "List", show: (word) => `Show “${word}” in the message`, more: (count) => `and ${count} more`,
    evidence: { diacritic: "accents", style: "letter styles", invisible: "invisible characters", separator: "separators", repeat: "repeated letters", "look-alike": "look-alike letters", variant: "other forms of characters", leet: "digits or signs for letters", encoded: "a code", misspelt: "misspelling", sound: "the same sound", alias: "another word for it" },
    written: (how) => `written with ${how}`, and: ", ", model: (isFraud) => (isFraud ? "It reads like fraud." : "It reads like advertising."), modelWords: (said) => (said === "" ? "" : `Mostly for ${said}`),
    sms: ({ alphabet, units, segments, unitsLeft }) => `${segments} SMS · ${units} ${alphabet === "gsm7" ? "characters (GSM)" : "units (Unicode)"} · ${unitsLeft} left`,
    characters: (count) => `${count} characters`,
    delivered: { allow: "delivered", flag: "delivered, marked", mask: "delivered, masked", hold: "waits for review" },
    checking: (percent) => `Checking… ${percent}`, places: (count) => (count === 1 ? "1 place" : `${count} places`), fileDone: (places, size) => `${places} in ${size}`, fileFine: (size) => `Nothing found in ${size}.`, stopped: "Stopped.",
    tryTitle: "Try a change to the lists", tryIntro: "Edit a list, paste messages, and see which verdicts change. All of it happens in this page.",
    whichList: "Which list", ownTerms: "Your own terms", category: "Category", terms: "Terms", termsPlaceholder: "One term a line",
    syntax: "cat · cat* · *cat* · free gift · gift card&scratch · loan~student loan · {txt|text} stop",
    messages: "Messages", messagesPlaceholder: "One message a line", results: "Verdicts", onlyChanged: "Only what changed", diagnostics: "Findings",
    columnMessage: "Message", columnBefore: "Before", columnAfter: "After", columnWhy: "Why",
    compiled: (terms, ms) => `The list is good: ${terms} terms in all, ready in ${ms} ms.`, wrong: (count) => (count === 1 ? "One thing to mend." : `${count} things to mend.`), lastGood: "The verdicts below are by the last list that was good.",
    summary: (all, changed) => `${all} messages, ${changed} changed`, line: (line, column) => `line ${line}, column ${column}`, unchanged: "no change",
    apostrophes: "Three apostrophes in a row cannot be part of a term.",
  },
  zh: {
    skip: "跳到消息", skipTerms: "跳到词表", pages: "页面", language: "语言", navComposer: "写消息", navTry: "试词表",
    title: "发送之前先检查", intro: "过滤器就在本页中运行。发送之前，您输入的内容不会离开本页。",
    compose: "新消息", channel: "发送方式", channelSms: "短信", channelChat: "聊天", channelUpload: "上传", message: "消息",
    placeholder: "请输入消息……", send: "发送", sendMasked: "屏蔽后发送", sendHold: "提交审核", sendAnyway: "仍要发送", sendBlock: "无法发送",
    examples: "示例", exampleFine: "普通消息", examplePrize: "中奖", exampleHidden: "变形写法", exampleChinese: "中文消息",
    sent: "已发送", sentEmpty: "发出的消息将按对方收到的样子显示在这里。", upload: "检查文件", choose: "选择文本文件", drop: "或拖放到此处",
    stop: "停止", uploadProgress: "检查进度", update: "重新载入词表", reasonsLabel: "原因", loading: "正在载入词表……",
    about: (terms, name) => `词条：${terms} · 词表 ${name}`, offline: "离线，使用上次可用的词表", updated: "词表已重新载入。",
    kept: "服务器上的词表无法使用，继续使用上次可用的词表。", refused: "词表无法使用。",
    actions: { allow: "通过", flag: "标记", mask: "屏蔽", hold: "待审核", block: "拦截" },
    verdicts: {
      allow: "未发现问题。", flag: "部分内容可能不受欢迎。您可以修改，也可以仍然发送，但会被标记。",
      mask: "标出的词将以星号代替。", hold: "如果发送，将先由人工审核。", block: "此消息无法发送，请修改标出的词。",
    },
    masked: "对方将看到：", flags: { truncated: "消息超过 1 MiB，只检查了开头部分。", matches_capped: "未列出全部位置。", invalid_utf8: "" },
    clauses: "条款", severity: "级别", list: "词表", show: (word) => `在消息中显示“${word}”`, more: (count) => `还有 ${count} 处`,
    evidence: { diacritic: "附加符号", style: "特殊字体", invisible: "不可见字符", separator: "分隔符", repeat: "重复字母", "look-alike": "形似字母", variant: "异体字", leet: "数字或符号代替字母", encoded: "编码", misspelt: "错拼", sound: "谐音", alias: "别称" },
    written: (how) => `使用了${how}`, and: "、", model: (isFraud) => (isFraud ? "看起来像诈骗信息。" : "看起来像广告。"), modelWords: (said) => (said === "" ? "" : `主要依据：${said}`),
    sms: ({ alphabet, units, segments, unitsLeft }) => `${segments} 条短信 · ${units} ${alphabet === "gsm7" ? "个字符（GSM）" : "个单位（Unicode）"} · 还可输入 ${unitsLeft}`,
    characters: (count) => `${count} 个字符`,
    delivered: { allow: "已送达", flag: "已送达，有标记", mask: "已送达，部分屏蔽", hold: "等待审核" },
    checking: (percent) => `正在检查…… ${percent}`, places: (count) => `${count} 处`, fileDone: (places, size) => `在 ${size} 中发现 ${places}`, fileFine: (size) => `${size} 中未发现问题。`, stopped: "已停止。",
    tryTitle: "试改词表", tryIntro: "修改词表、粘贴消息，即可看到哪些判定会改变。一切都在本页中完成。",
    whichList: "选择词表", ownTerms: "自定义词条", category: "类别", terms: "词条", termsPlaceholder: "每行一个词条",
    syntax: "cat · cat* · *cat* · 免费 礼品 · 礼品卡&刮开 · 贷款~助学贷款 · {回复|发送}退订",
    messages: "消息", messagesPlaceholder: "每行一条消息", results: "判定", onlyChanged: "只看有变化的", diagnostics: "发现的问题",
    columnMessage: "消息", columnBefore: "之前", columnAfter: "之后", columnWhy: "原因",
    compiled: (terms, ms) => `词表可用：共 ${terms} 个词条，用时 ${ms} 毫秒。`, wrong: (count) => `有 ${count} 处需要修改。`, lastGood: "下面的判定仍按上一个可用的词表。",
    summary: (all, changed) => `${all} 条消息，${changed} 条有变化`, line: (line, column) => `第 ${line} 行第 ${column} 列`, unchanged: "无变化",
    apostrophes: "词条中不能有连续三个单引号。",
  },
};

const KEY = "tamis-language";
const listeners = [];
let language = stored() ?? (navigator.language?.startsWith("zh") ? "zh" : "en");

function stored() {
  try {
    const found = localStorage.getItem(KEY);
    return found in WORDS ? found : undefined;
  } catch {
    return undefined;
  }
}

export const lang = () => language;
export const words = () => WORDS[language];
export const number = (value) => new Intl.NumberFormat(language).format(value);
export const percent = (value) => new Intl.NumberFormat(language, { style: "percent" }).format(value);
export function size(bytes) {
  const [value, unit] = bytes < 1000 ? [bytes, "byte"] : bytes < 1e6 ? [bytes / 1e3, "kilobyte"] : [bytes / 1e6, "megabyte"];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 1 }).format(value);
}

/** Calls `listener` whenever the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** Says everything in the language that is chosen. */
export function speak() {
  const all = words();
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = all[node.dataset.text];
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", all[node.dataset.label]);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = all[node.dataset.placeholder];
  for (const node of document.querySelectorAll("[data-language]")) node.setAttribute("aria-pressed", String(node.dataset.language === language));
  for (const listener of listeners) listener();
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    language = button.dataset.language;
    try {
      localStorage.setItem(KEY, language);
    } catch {
      // Private windows keep nothing; the choice lasts as long as the page.
    }
    speak();
  });
}

/** A new element with text and children in it. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const STRICTNESS = ["allow", "flag", "mask", "hold", "block"];

/** The text with what was matched in `mark` elements; where matches overlap, the strictest counts. */
export function marked(text, matches, from = 0, to = text.length) {
  const ends = new Set([from, to]);
  for (const { start, end } of matches) {
    if (start > from && start < to) ends.add(start);
    if (end > from && end < to) ends.add(end);
  }
  const places = [...ends].sort((a, b) => a - b);
  const nodes = [];
  for (let index = 0; index + 1 < places.length; index += 1) {
    const [start, end] = [places[index], places[index + 1]];
    const over = matches.filter((match) => match.start < end && match.end > start);
    const action = STRICTNESS[Math.max(0, ...over.map((match) => STRICTNESS.indexOf(match.action)))];
    const piece = text.slice(start, end);
    nodes.push(action === "allow" ? document.createTextNode(piece) : make("mark", { class: action }, piece));
  }
  return nodes;
}

/** The category's words in the language that is chosen. */
export function categoryText(texts, id) {
  const found = texts?.[id];
  return { title: found?.title?.[language] ?? found?.title?.en ?? id, text: found?.text?.[language] ?? found?.text?.en ?? "" };
}

if ("serviceWorker" in navigator) navigator.serviceWorker.register("sw.js").catch(() => undefined);
