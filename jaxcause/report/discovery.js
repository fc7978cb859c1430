const state = { threshold: 0, pinned: null, layout: "ring", sort: "size", up: false, filter: "", loops: true };
const MOST_ROWS = 1000;
const round = (value) => value === null ? "not defined" : String(Number(value.toPrecision(3))).replace("-", "\u2212");
const step = (lag) => lag ? `t\u2212${lag}` : "t";
const edges = [];
const STRIDE = 14;
for (let k = 0; k < data.e.length; k += STRIDE) {
  const [from, to, lag, left, right, value, score, effect, low, high, share, p, q, spread] = data.e.slice(k, k + STRIDE);
  const named = [`${name(from)} (${step(lag)})`, `${name(to)} (t)`];
  edges.push({ from, to, lag, left, right, value, score, effect, low, high, share, p, q, spread, named,
    size: value === null ? -1 : Math.abs(value), index: k / STRIDE });
}
const candidates = [];
for (let k = 0; k < data.c.length; k += 6) {
  const [from, to, lag, left, right, value] = data.c.slice(k, k + 6);
  const named = [`${name(from)} (${step(lag)})`, `${name(to)} (t)`];
  candidates.push({ from, to, lag, left, right, value, score: null, effect: null, low: null, high: null, share: null, p: null, q: null, spread: null, named, size: -1, candidate: true, index: edges.length + k / 6 });
}
const largest = Math.max(0, ...edges.map((e) => e.size)) || 1;
const kind = (e) => e.candidate ? "candidate" : e.left === CONFLICT ? "conflict" : e.left === CIRCLE || e.right === CIRCLE ? "open"
  : { [2 * ARROW]: "latent", [2 * TAIL]: "tied" }[e.left + e.right] || "directed";
// An effect on the variance of the target, and hardly on its mean.
const spreads = (e) => e.spread !== null && e.spread > 0.9;
const own = (e) => e.from === e.to;
const visible = () => edges.filter((e) => (state.loops || !own(e)) && (e.size >= state.threshold || (e.value === null && state.threshold === 0)));
// Whether an edge raises or lowers its target; "unclear" where that is not known, or its interval holds 0.
function sign(e) {
  if (!data.effects) return "plain";
  if (e.effect === null || !e.effect || (e.low !== null && e.low * e.high <= 0)) return "unclear";
  return e.effect < 0 ? "neg" : "pos";
}
// An arrow of several lags has the sign of its strongest one, as the pictures have.
const signs = (group) => sign(group.edges.reduce((a, b) => b.size > a.size ? b : a));
const mixed = (group) => new Set(group.edges.map(sign)).size > 1;
const shownLinks = () => [...visible(), ...candidates];
const signed = (value) => (value > 0 ? "+" : "") + round(value);
const interval = (e) => e.low === null || e.high === null ? "" : ` (${signed(e.low)} to ${signed(e.high)})`;
const percent = (share) => share === null ? "\u2013" : share < 0.005 ? "< 1 %" : `${Math.round(100 * share)} %`;
const effectOf = (e) => e.effect === null ? "\u2013" : signed(e.effect) + interval(e);
function described(e) {
  if (e.candidate) return `A candidate, no edge. Strength ${round(e.value)}.`;
  const effect = e.effect === null ? "" : ` Effect ${effectOf(e)} per unit, share ${percent(e.share)}.`;
  const test = e.p === null ? "" : ` p ${probability(e.p)}, q ${probability(e.q)}.`;
  const spread = e.spread === null ? "" : ` ${percent(e.spread)} of its score is an effect on the variance.`;
  return `${meaning(e)}. Strength ${round(e.value)}.${effect}${test}${spread}`;
}
// The forecast of the target along the range of the source.
function curveOf(e) {
  const [at, response] = data.curves[[e.from, e.to, e.lag].join("-")] ?? [];
  if (!at || [...at, ...response].includes(null)) return null;
  const [w, h, pad] = [104, 34, 3];
  const along = (values, from, to) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return values.map((v) => from + (to - from) * (high > low ? (v - low) / (high - low) : 0.5));
  };
  const [x, y] = [along(at, pad, w - pad), along(response, h - pad, pad)];
  const end = [0, at.length - 1].map((k) => `${round(response[k])} at ${round(at[k])}`);
  const svg = shape("svg", { class: "spark", width: w, height: h, viewBox: `0 0 ${w} ${h}`, role: "img",
    "aria-label": `Forecast of ${labels[e.to]} from ${end.join(" to ")} of ${labels[e.from]}` });
  shape("title", {}, svg).textContent = `${labels[e.to]} along ${labels[e.from]}: ${end.join(" to ")}`;
  shape("polyline", { points: x.map((v, k) => `${v.toFixed(1)},${y[k].toFixed(1)}`).join(" ") }, svg);
  return svg;
}

// --- what the picture draws: one edge, or all lags of a pair that have the same marks ------------------------
function groups(shown) {
  const found = new Map();
  for (const e of shown) {
    const key = state.layout === "time" ? e.index : [e.from, e.to, e.left, e.right, kind(e)].join();
    if (!found.has(key)) found.set(key, { ...e, edges: [] });
    const group = found.get(key);
    group.edges.push(e);
    group.size = Math.max(group.size, e.size);
  }
  return [...found.values()].sort((a, b) => a.size - b.size);
}
function lagText(lags) {
  const runs = [];
  for (const lag of lags.sort((a, b) => a - b)) {
    if (runs.length && lag === runs[runs.length - 1][1] + 1) runs[runs.length - 1][1] = lag;
    else runs.push([lag, lag]);
  }
  return runs.map(([a, b]) => a === b ? a : b === a + 1 ? `${a}, ${b}` : `${a}\u2013${b}`).join(", ");
}
function ringWay(g, plan, rank) {
  const [a, b] = [plan.at[g.from], plan.at[g.to]];
  if (g.from === g.to) {
    const angle = plan.angle[g.from];
    const out = [Math.cos(angle), Math.sin(angle)];
    const reach = plan.loop + 12 * rank;
    const [one, two] = [-1, 1].map((side) => move(move(a, out, reach), [-out[1], out[0]], side * 0.8 * reach));
    return [a, one, two, a];
  }
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  const others = plan.at.filter((_, i) => i !== g.from && i !== g.to);
  // With many names, edges bend inwards, away from the names, and the reverse edge bends further.
  // With few names, the reverse edge bends to the other side.
  const inward = [plan.middle[0] - (a[0] + b[0]) / 2, plan.middle[1] - (a[1] + b[1]) / 2];
  const side = labels.length <= 6 ? 0 : Math.sign(Math.round((b[0] - a[0]) * inward[1] - (b[1] - a[1]) * inward[0]));
  const first = side < 0 ? 0.2 : 0.1;
  const heights = [0, 0.06, 0.13, 0.22, 0.3].map((h) => (side || 1) * (first + h + 0.08 * rank) * length);
  return clearest(heights.map((h) => bow(a, b, h)), others, 2 * plan.radius);
}
function timeWay(g, plan) {
  const [a, b] = [plan.place(g.from, g.lag), plan.place(g.to, 0)];
  if (!g.lag) {
    const out = Math.min(plan.arcs - 12, 16 + 0.35 * Math.abs(b[1] - a[1]));
    return [a, [a[0] + 1.3 * out, a[1]], [b[0] + 1.3 * out, b[1]], b];
  }
  const others = labels.flatMap((_, i) => Array.from({ length: g.lag + 1 }, (_, lag) => [i, lag]))
    .filter(([i, lag]) => !(i === g.from && lag === g.lag) && !(i === g.to && lag === 0)
      && i >= Math.min(g.from, g.to) - 1 && i <= Math.max(g.from, g.to) + 1).map(([i, lag]) => plan.place(i, lag));
  const heights = [0, 0.3, -0.3, 0.6, -0.6].map((h) => h * Math.min(plan.pitch, 24));
  return clearest(heights.map((h) => bow(a, b, h)), others, 1.5 * plan.radius);
}

// --- the picture -------------------------------------------------------------------------------------------
function draw() {
  const box = $("arcs");
  const held = box.contains(document.activeElement) ? { ...document.activeElement.dataset } : null;
  const room = Math.max(box.clientWidth, 200);
  const drawn = groups(shownLinks());
  const loops = new Set(drawn.filter((g) => g.from === g.to).map((g) => g.from));
  const plan = { ring: () => onRing(room, loops), time: () => inTime(room), matrix: () => inMatrix(room) }[state.layout]();
  const svg = shape("svg", { width: plan.w, height: plan.h, viewBox: `0 0 ${plan.w} ${plan.h}`, role: "group", "data-mode": plan.mode,
    "aria-label": "Variables and the edges between them; use the arrow keys to move among variables or edges" });
  const [wires, tags, nodes] = ["Edges", null, "Variables"].map((said) => shape("g", said ? { role: "group", "aria-label": said } : {}, svg));
  const ranks = {};
  if (plan.mode === "matrix") matrixGrid(plan, tags);
  const ways = plan.mode === "matrix" ? [] : drawn.map((g) => {
    const rank = ranks[[g.from, g.to]] = (ranks[[g.from, g.to]] ?? -1) + 1;
    return plan.mode === "ring" ? ringWay(g, plan, rank) : timeWay(g, plan);
  });
  const thick = Math.max(1.4, 3.6 * Math.min(1, Math.sqrt(40 / Math.max(drawn.length, 1))));
  drawn.forEach((g, k) => wires.append(edge(g, ways[k], plan, thick)));
  ({ ring: ringNodes, time: timeNodes, matrix: matrixNodes })[plan.mode](plan, nodes, drawn);
  if (plan.mode === "matrix") svg.prepend(nodes);
  rove(nodes, ".token");
  rove(wires, ".edge");
  box.replaceChildren(svg);
  const tagged = plan.mode === "ring" && drawn.length <= 60;
  if (tagged) writeLags(tags, drawn, ways, plan);
  $("numbers").hidden = plan.mode === "matrix" ? !box.querySelector(".lags") : !tagged || !tags.childElementCount;
  $("rows-are").hidden = plan.mode !== "matrix";
  $("mixed").hidden = !drawn.some(mixed);
  // Arrows between the lowest variables may bow below them.
  const within = svg.getBBox();
  const height = Math.ceil(Math.max(plan.h, within.y + within.height + 6));
  svg.setAttribute("height", height);
  svg.setAttribute("viewBox", `0 0 ${plan.w} ${height}`);
  if (held) box.querySelector(held.token !== undefined ? `[data-token="${held.token}"]` : `[data-edge="${held.edge}"]`)?.focus();
  focusOn(null);
}
function edge(group, way, plan, thick) {
  const g = shape("g", { class: `edge ${kind(group)} ${signs(group)}${group.edges.every(spreads) ? " spread" : ""}`, "data-edge": group.index, "data-edges": group.edges.map((e) => e.index).join(" "),
    "data-from": group.from, "data-to": group.to, role: "img", tabindex: "-1", "aria-label": group.edges.map(described).join(" ") });
  watchFocus(g, { group });
  if (plan.mode === "matrix") {
    matrixEdge(g, group, plan);
    return g;
  }
  const share = Math.max(group.size, 0) / largest;
  const loop = group.from === group.to && plan.mode === "ring";
  wire(g, way, group, { gap: plan.radius + (loop ? 1 : 2), width: 1 + thick * share, opacity: 0.45 + 0.5 * share });
  return g;
}
function watchFocus(g, what) {
  for (const [event, target] of [["pointerenter", what], ["focus", what], ["pointerleave", null], ["blur", null]]) {
    g.addEventListener(event, () => focusOn(target));
  }
}
function node(i, parent) {
  const g = shape("g", { class: "token", "data-token": i, role: "button", tabindex: "-1", "aria-pressed": "false",
    "aria-label": `Variable ${i + 1}: ${labels[i]}` }, parent);
  shape("title", {}, g).textContent = labels[i];
  watchFocus(g, { token: i });
  g.addEventListener("click", () => pin(i));
  g.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(i); }
  });
  return g;
}
function ringNodes(plan, parent) {
  labels.forEach((_, i) => {
    const [[x, y], angle] = [plan.at[i], plan.angle[i]];
    const g = node(i, parent);
    shape("circle", { class: "dot", cx: x, cy: y, r: plan.radius }, g);
    if (i % plan.every) return;
    const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
    const away = plan.radius + 5 + (plan.loops.has(i) ? plan.out : 0);
    const style = { "font-size": plan.size, class: "name" };
    let turn = {};
    if (plan.level) {
      const side = Math.abs(dx) < 0.2 ? "middle" : dx > 0 ? "start" : "end";
      Object.assign(style, { x: x + dx * away, y: y + dy * (away + (side === "middle" ? 5 : 0)) + 4.5 , "text-anchor": side });
    } else {
      const left = dx < -1e-9;
      const [px, py] = [x + dx * away, y + dy * away];
      turn = { transform: `rotate(${(angle * 180 / Math.PI + (left ? 180 : 0)).toFixed(2)} ${px.toFixed(1)} ${py.toFixed(1)})` };
      Object.assign(style, { x: px, y: py + 0.35 * plan.size, "text-anchor": left ? "end" : "start" });
    }
    shape("text", { ...style, ...turn, direction: "ltr" }, g).textContent = plan.texts[i];
  });
}
function timeNodes(plan, parent, drawn) {
  const used = new Set(drawn.map((g) => `${g.from},${g.lag}`));
  labels.forEach((_, i) => {
    const g = node(i, parent);
    shape("text", { class: "name", x: plan.x0 - 12, y: 16 + plan.pitch * i + 4.5, "text-anchor": "end", "font-size": plan.size, direction: "ltr" }, g).textContent = plan.texts[i];
    for (let lag = 0; lag <= data.max_lag; lag++) {
      const [cx, cy] = plan.place(i, lag);
      shape("circle", { class: lag && !used.has(`${i},${lag}`) ? "dot faint" : "dot", cx, cy, r: plan.radius }, g);
    }
  });
  for (let lag = 0; lag <= data.max_lag; lag++) {
    const [x] = plan.place(0, lag);
    shape("text", { class: "muted", x, y: plan.h - 4, "text-anchor": "middle", "font-size": 12 }, parent).textContent = step(lag);
  }
}
// Lags are written where they overlap neither names, nodes nor one another. The others appear in the detail box only.
function writeLags(parent, drawn, ways, plan) {
  const taken = [...$("arcs").querySelectorAll(".token")].flatMap((g) => [...g.children]).filter((part) => part.tagName !== "title").map((part) => part.getBBox());
  const meets = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  drawn.forEach((g, k) => {
    const text = lagText(g.edges.map((e) => e.lag));
    const [width, height] = [widthOf(text, 11, 500) + 5, 14];
    const spots = g.from === g.to ? [0.5] : [0.5, 0.4, 0.6, 0.3, 0.7];
    for (const t of spots) {
      const [x, y] = pointOn(ways[k], t);
      const box = { x: x - width / 2, y: y - height / 2, width, height };
      if (taken.some((other) => meets(box, other))) continue;
      taken.push(box);
      const tag = shape("g", { class: "tag", "data-of": g.index }, parent);
      shape("rect", { ...box, rx: 3 }, tag);
      shape("text", { x, y: y + 4, "text-anchor": "middle", "font-size": 11 }, tag).textContent = text;
      break;
    }
  });
}

// --- what is in focus ------------------------------------------------------------------------------------------
function pin(i) {
  state.pinned = state.pinned === i ? null : i;
  focusOn(state.pinned === null ? null : { token: i });
}
function focusOn(what) {
  if (!what && state.pinned !== null) what = { token: state.pinned };
  const svg = $("arcs").querySelector("svg");
  if (!svg) return;
  const indices = (g) => g.dataset.edges.split(" ").map(Number);
  const on = (g) => what && (what.token !== undefined ? [g.dataset.from, g.dataset.to].includes(String(what.token))
    : what.group ? Number(g.dataset.edge) === what.group.index : indices(g).includes(what.edge.index));
  svg.classList.toggle("focused", Boolean(what));
  for (const g of svg.querySelectorAll(".edge")) {
    g.classList.toggle("on", Boolean(on(g)));
    svg.querySelector(`.tag[data-of="${g.dataset.edge}"]`)?.classList.toggle("on", Boolean(on(g)));
  }
  for (const g of svg.querySelectorAll(".token")) {
    const held = Number(g.dataset.token) === state.pinned;
    g.classList.toggle("pinned", held);
    g.setAttribute("aria-pressed", String(held));
  }
  const detail = $("detail");
  detail.replaceChildren();
  if (!what) {
    detail.append(make("span", { class: "soft" }, "Point at a variable or an edge, or move there with Tab and the arrow keys. Click a variable to keep its edges highlighted."));
    return;
  }
  const mine = what.group ? what.group.edges : what.edge ? [what.edge] : shownLinks().filter((e) => [e.from, e.to].includes(what.token));
  if (what.token !== undefined) detail.append(make("b", {}, labels[what.token]), `: ${mine.length} ${candidates.length ? "link" : "edge"}${mine.length === 1 ? "" : "s"} shown`);
  const list = make("ul");
  for (const e of [...mine].sort((a, b) => b.size - a.size)) {
    const row = make("li");
    row.append(make("b", {}, `${labels[e.from]} ${step(e.lag)} ${symbol(e)} ${labels[e.to]}`), ` ${described(e)} `);
    const curve = curveOf(e);
    if (curve) row.append(curve);
    list.append(row);
  }
  detail.append(list);
}

// --- the table ------------------------------------------------------------------------------------------------
const known = (value) => value === null ? -Infinity : value;
const SORT = { from: (e) => labels[e.from], to: (e) => labels[e.to], lag: (e) => e.lag, symbol, meaning, size: (e) => e.size, score: (e) => known(e.score),
  effect: (e) => known(e.effect), share: (e) => known(e.share), p: (e) => e.p ?? 2, q: (e) => e.q ?? 2, spread: (e) => known(e.spread) };
const COLUMNS = 7 + (data.effects ? 2 : 0) + (data.tests ? 2 : 0) + (data.variance ? 1 : 0);
function table() {
  const above = visible();
  const mine = filterRows(above, state, (e) => `${labels[e.from]} ${step(e.lag)} ${symbol(e)} ${labels[e.to]}`);
  const sorted = sortRows(mine, state, SORT, (a, b) => a.from - b.from || a.to - b.to || a.lag - b.lag);
  // Effects between variables come first, in any order.
  const order = [...sorted.filter((e) => !own(e)), ...sorted.filter(own)].slice(0, MOST_ROWS);
  const columns = Object.fromEntries(["value", "score", "effect", "low", "high"].map((key) => [key, aligned(order.map((e) => e[key]))]));
  const rows = order.map((e, k) => {
    const row = make("tr", { "data-row": e.index, class: own(e) && k && !own(order[k - 1]) ? "apart" : "" });
    const cell = (text, kind = "num") => row.append(make("td", { class: kind }, text));
    cell(labels[e.from], "");
    cell(String(e.lag));
    cell(symbol(e), "symbol");
    cell(labels[e.to], "");
    cell(columns.value[k]);
    if (data.effects) {
      const effect = make("td", { class: `num ${sign(e)}` }, columns.effect[k]);
      if (e.low !== null && e.high !== null) effect.append(make("span", { class: "interval" }, `${columns.low[k].trim()} to ${columns.high[k].trim()}`));
      row.append(effect);
      cell(percent(e.share));
    }
    if (data.tests) for (const value of [e.p, e.q]) cell(probability(value));
    if (data.variance) cell(percent(e.spread));
    cell(columns.score[k]);
    cell(meaning(e), "meaning");
    row.addEventListener("pointerenter", () => focusOn({ edge: e }));
    row.addEventListener("pointerleave", () => focusOn(null));
    return row;
  });
  if (mine.length > MOST_ROWS) rows.push(emptyRow(COLUMNS, `${mine.length - MOST_ROWS} more edges. Filter by a name to see them.`));
  if (!mine.length) rows.push(emptyRow(COLUMNS, !edges.length ? "The graph has no edges." : above.length ? "No edge matches the filter." : "No edge reaches this threshold."));
  $("rows").replaceChildren(...rows);
  $("listed").textContent = `${mine.length} of ${data.n} listed`;
  const hidden = state.loops ? 0 : edges.filter(own).length;
  $("hidden").textContent = hidden ? `${hidden} self-edge${hidden === 1 ? "" : "s"} (a variable and its own past) not shown` : "";
  const box = $("rows").closest(".tablebox");
  $("more").hidden = box.scrollHeight <= box.clientHeight + 1 && box.scrollWidth <= box.clientWidth + 1;
}

// --- strengths of all pairs ---------------------------------------------------------------------------------------
function map() {
  const lag = Number($("lag").value);
  $("previous").disabled = lag === Number($("lag").options[0].value);
  $("next").disabled = lag === data.max_lag;
  heat("map", unpack(data.maps[lag])?.map((row) => row.map((v) => v === null ? null : v * data.largest)), {
    high: round, most: data.largest, say: (i, j, value) => `${name(i)} (${step(lag)}) ${lag ? "\u2192" : "and"} ${name(j)} (t): ${round(value)}` });
}

// --- everything together --------------------------------------------------------------------------------------------
function refresh() {
  draw();
  table();
  $("shown").textContent = `${visible().length} of ${data.n} edges shown`;
  $("at-least").textContent = round(state.threshold);
}
$("threshold").addEventListener("input", (event) => { state.threshold = largest * Number(event.target.value) / 200; refresh(); });
filterable(state, table);
sortable(state, ["size", "score", "effect", "share", "spread"], table);
for (const [some, has] of [["effects", data.effects], ["tests", data.tests], ["variance", data.variance]]) {
  for (const head of document.querySelectorAll(`th.${some}`)) head.hidden = !has;
}
const NUMBERS = { score: "score", strength: "value", effect: "effect", low: "low", high: "high", share: "share", p_value: "p", q_value: "q",
  ...(data.variance ? { on_variance: "spread" } : {}) };
const asRow = (e) => ({ source: labels[e.from], target: labels[e.to], lag: e.lag, edge: symbol(e),
  ...Object.fromEntries(Object.entries(NUMBERS).map(([key, from]) => [key, e[from]])) });
downloads("graph", ["source", "target", "lag", "edge", ...Object.keys(NUMBERS)], () => edges.map(asRow),
  (rows) => ({ format: "jaxcause.lagged_graph", version: 1, max_lag: data.max_lag, variables: labels, edges: rows }));
$("loops").addEventListener("change", (event) => { state.loops = event.target.checked; refresh(); });
function arrange(layout) {
  state.layout = layout;
  document.querySelectorAll("[data-layout]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.layout === layout)));
}
document.querySelectorAll("[data-layout]").forEach((button) => button.addEventListener("click", () => {
  arrange(button.dataset.layout);
  draw();
}));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.pinned !== null) { state.pinned = null; focusOn(null); }
});
$("cut").hidden = data.n <= edges.length;
// Many self-edges tell little and hide the rest.
const loops = edges.filter(own).length;
state.loops = labels.length <= 12 || loops === edges.length;
$("loops").checked = state.loops;
$("loops").parentElement.hidden = !loops;
for (const some of ["latent", "open", "tied", "conflict", "candidate"]) document.querySelector(`.legend span.${some}`).hidden = !shownLinks().some((e) => kind(e) === some);
for (const some of ["pos", "neg", "unclear", "plain"]) document.querySelector(`.legend span.${some}`).hidden = !edges.some((e) => kind(e) === "directed" && sign(e) === some);
document.querySelector(".legend span.spread").hidden = !edges.some(spreads);
$("maps").hidden = !data.maps || !data.max_lag;
if (!$("maps").hidden) {
  const first = edges.some((e) => e.lag === 0) ? 0 : 1;
  for (let lag = first; lag <= data.max_lag; lag++) $("lag").append(make("option", { value: lag }, step(lag)));
  $("lag").value = String(Math.max(1, first));
  $("lag").addEventListener("change", map);
  for (const [id, by] of [["previous", -1], ["next", 1]]) {
    $(id).addEventListener("click", () => { $("lag").value = String(Number($("lag").value) + by); map(); });
  }
  watch("map");
  map();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", map);
}
let width = $("arcs").clientWidth;
if (labels.length > 24) arrange("matrix");
else if (labels.length > 8 && width < 500) arrange("time");
new ResizeObserver(() => {
  const now = $("arcs").clientWidth;
  if (Math.abs(now - width) < 2) return;
  width = now;
  draw();
  if (!$("maps").hidden) map();
}).observe($("arcs"));
refresh();
