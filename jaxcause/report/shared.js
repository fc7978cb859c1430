const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const [CIRCLE, ARROW, TAIL, CONFLICT] = [1, 2, 3, 4];
const labels = data.labels;

// --- words -----------------------------------------------------------------------------------
// Labels that occur more than once get their position, counted from 1.
const times = new Map();
for (const label of labels) times.set(label, (times.get(label) ?? 0) + 1);
const nth = (i) => times.get(labels[i]) > 1 ? ` #${i + 1}` : "";
const called = (i) => nth(i) ? "\u2068" + labels[i] + "\u2069" + nth(i) : labels[i];
const name = (i) => "\u201c\u2068" + labels[i] + "\u2069\u201d" + nth(i);
const number = (value, digits = 3) => value === null || value === undefined ? "not defined"
  : value.toFixed(digits).replace("-", "\u2212");
// Numbers of some digits whose decimal points stand below one another in a column; "" where there is none.
function aligned(values, digits = 3) {
  const parts = values.map((v) => {
    if (v === null || v === undefined) return null;
    const text = v !== 0 && (Math.abs(v) < 1e-4 || Math.abs(v) >= 1e6) ? v.toExponential(digits - 1)
      : v === 0 ? "0" : v.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(Number(v.toPrecision(digits)))))));
    return text.replace("-", "\u2212").split(".");
  });
  const after = Math.max(0, ...parts.map((p) => p?.[1]?.length ?? 0));
  return parts.map((p) => p === null ? "\u2013" : !after ? p[0] : p.length > 1 ? `${p[0]}.${p[1].padEnd(after, "\u2007")}` : p[0] + "\u2008" + "\u2007".repeat(after));
}
const probability = (p) => p === null ? "\u2013" : p === 0 ? "< 1e\u2212300"
  : p < 1e-3 ? p.toExponential(1).replace("-", "\u2212") : p.toPrecision(2);
const symbol = (e) => ({ [CIRCLE]: "o", [ARROW]: "<", [TAIL]: "-", [CONFLICT]: "x" }[e.left]) + "-"
  + { [CIRCLE]: "o", [ARROW]: ">", [TAIL]: "-", [CONFLICT]: "x" }[e.right];
function meaning(e) {
  const [a, b] = e.named || [name(e.from), name(e.to)];
  const key = e.left * 10 + e.right;
  if (e.left === CONFLICT) return `${a} and ${b} are dependent; the rules orient this edge both ways, so its direction is in conflict`;
  if (data.none_hidden && e.left === TAIL && e.right === TAIL) return `${a} and ${b} are dependent; the direction is undecided`;
  return {
    [CIRCLE * 10 + CIRCLE]: `${a} and ${b} are dependent; the direction is undecided`,
    [CIRCLE * 10 + ARROW]: `${b} does not cause ${a}: either ${a} causes ${b}, or a hidden cause drives both`,
    [ARROW * 10 + CIRCLE]: `${a} does not cause ${b}: either ${b} causes ${a}, or a hidden cause drives both`,
    [TAIL * 10 + ARROW]: `${a} causes ${b}`,
    [ARROW * 10 + TAIL]: `${b} causes ${a}`,
    [ARROW * 10 + ARROW]: `A hidden cause drives ${a} and ${b}; neither causes the other`,
    [TAIL * 10 + TAIL]: `${a} and ${b} are dependent by selection: each causes the other or something that was selected`,
    [TAIL * 10 + CIRCLE]: `${a} causes ${b} or something that was selected; the other end is undecided`,
    [CIRCLE * 10 + TAIL]: `${b} causes ${a} or something that was selected; the other end is undecided`,
  }[key];
}

// --- small helpers for the document -------------------------------------------------------------
function make(tag, attributes = {}, text = null) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  return node;
}
function shape(tag, attributes = {}, parent = null) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}
// The mark of an edge in conflict, at the end `end_` of an edge.
function cross(g, [x, y], end_, arm = 3.6) {
  const stroke = (sign) => `M ${(x - arm).toFixed(1)} ${(y - sign * arm).toFixed(1)} L ${(x + arm).toFixed(1)} ${(y + sign * arm).toFixed(1)}`;
  shape("path", { class: "cross", "data-end": end_, d: `${stroke(1)} ${stroke(-1)}` }, g);
}
const pen = document.createElement("canvas").getContext("2d");
const FONT = getComputedStyle(document.body).fontFamily;
function widthOf(text, size = 14, weight = 650) {
  pen.font = `${weight} ${size}px ${FONT}`;
  return pen.measureText(text).width;
}
// Both ends of a name are kept, because names that begin alike often differ in a number at the end.
function shorten(text, most, size = 14, weight = 650) {
  if (widthOf(text, size, weight) <= most) return text;
  const letters = Array.from(text);
  for (let kept = letters.length - 1; kept > 1; kept--) {
    const last = Math.floor(0.4 * kept);
    const cut = letters.slice(0, kept - last).join("") + "\u2026" + letters.slice(letters.length - last).join("");
    if (widthOf(cut, size, weight) <= most) return cut;
  }
  return letters[0] + "\u2026";
}
// Names that are told apart after they were cut: where two are cut alike, what they have in common goes first.
function shortenAll(texts, most, size = 14, weight = 500) {
  const cut = texts.map((text, i) => shorten(text, most[i], size, weight));
  const alike = new Map();
  cut.forEach((text, i) => alike.set(text, [...(alike.get(text) ?? []), i]));
  for (const group of alike.values()) {
    if (new Set(group.map((i) => texts[i])).size < 2) continue;
    const words = group.map((i) => Array.from(texts[i]));
    const least = Math.min(...words.map((word) => word.length));
    const same = (at) => words.every((word) => word.at(at) === words[0].at(at));
    let [first, last] = [0, 0];
    while (first < least && same(first)) first++;
    while (last < least - first && same(-1 - last)) last++;
    // A number is not cut in two.
    while (first && words.some((word) => /\d/.test(word[first - 1]) && /\d/.test(word[first] ?? ""))) first--;
    group.forEach((i, k) => { cut[i] = around(words[k], first, last, (text) => widthOf(text, size, weight) <= most[i], i); });
  }
  return cut;
}
// What tells a name apart, with as much of its beginning as fits; its number if that is too long, too.
function around(letters, first, last, fits, i) {
  const core = letters.slice(first, letters.length - last).join("");
  for (let kept = first; kept >= 0; kept--) {
    const text = letters.slice(0, kept).join("") + (kept < first ? "\u2026" : "") + core + (last ? "\u2026" : "");
    if (fits(text)) return text;
  }
  let text = `#${i + 1} `;
  for (const letter of core) {
    if (!fits(text + letter + "\u2026")) break;
    text += letter;
  }
  return text + "\u2026";
}

// The Tab key stops once per group; arrow keys move inside it.
function rove(group, kind) {
  const items = [...group.querySelectorAll(kind)].sort((a, b) => kind === ".edge"
    ? a.dataset.from - b.dataset.from || a.dataset.to - b.dataset.to : 0);
  if (items.length) items[0].setAttribute("tabindex", "0");
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const here = items.indexOf(event.target);
    if (!step || here < 0) return;
    event.preventDefault();
    const next = items[(here + step + items.length) % items.length];
    items[here].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

// --- tables that sort and filter ----------------------------------------------------------------
// A header with `data-sort` sorts by its column; columns named in `down` start with the largest value.
function sortable(state, down, redraw) {
  document.querySelectorAll("th[data-sort]").forEach((th) => th.querySelector("button").addEventListener("click", () => {
    const key = th.dataset.sort;
    [state.sort, state.up] = [key, state.sort === key ? !state.up : !down.includes(key)];
    redraw();
  }));
}
function sortRows(rows, state, values, ties) {
  const value = values[state.sort];
  const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (state.up ? 1 : -1);
  document.querySelectorAll("th[data-sort]").forEach((th) => {
    th.setAttribute("aria-sort", th.dataset.sort !== state.sort ? "none" : state.up ? "ascending" : "descending");
  });
  return rows.sort((a, b) => order(a, b) || ties(a, b));
}
// Rows whose text contains every word of the field `filter`; a hyphen before a digit also finds a minus sign.
function filterable(state, redraw) {
  $("filter").addEventListener("input", (event) => { state.filter = event.target.value; redraw(); });
}
function filterRows(rows, state, text) {
  const words = state.filter.toLowerCase().replace(/-(?=\d)/g, "\u2212").split(/\s+/).filter(Boolean);
  return words.length ? rows.filter((row) => words.every((word) => text(row).toLowerCase().includes(word))) : rows;
}
function emptyRow(columns, text) {
  const row = make("tr");
  row.append(make("td", { colspan: columns, class: "soft" }, text));
  return row;
}

// --- reading packed data ---------------------------------------------------------------------
function unpack(text) {
  if (!text) return null;
  const raw = atob(text.slice(1));
  const n = labels.length;
  const rows = Array.from({ length: n }, () => new Array(n));
  let k = 0;
  for (let i = 0; i < n; i++) {
    for (let j = text[0] === "s" ? i : 0; j < n; j++, k++) {
      let value = raw.charCodeAt(2 * k) | (raw.charCodeAt(2 * k + 1) << 8);
      if (value > 32767) value -= 65536;
      value = value === -32768 ? null : value / 1e4;
      rows[i][j] = value;
      if (text[0] === "s") rows[j][i] = value;
    }
  }
  return rows;
}
