const state = { view: 0, threshold: 0, explanation: data.explanations.length ? 0 : null,
  pinned: null, layout: "auto", sort: "size", up: false, filter: "" };
let edges = [];

// --- reading the packed data ---------------------------------------------------------------
function unpackEdges(flat) {
  const found = [];
  for (let k = 0; k < flat.length; k += 6) {
    const r = flat[k + 4] === null ? null : flat[k + 4] / 1e4;
    found.push({ from: flat[k], to: flat[k + 1], left: flat[k + 2], right: flat[k + 3], r,
      p: flat[k + 5], size: r === null ? -1 : Math.abs(r), index: k / 6 });
  }
  return found;
}

// --- where the tokens stand ---------------------------------------------------------------------
function arrange(room) {
  const texts = shortenAll(labels, labels.map(() => 150), 14, 650);
  const widths = texts.map((text, i) => data.special[i]
    ? Math.max(text.length * 7.4, widthOf(text, 12)) : widthOf(text));
  const cells = widths.map((w) => Math.max(w + 20, 34));
  const level = cells.reduce((sum, cell) => sum + cell, 0);
  let mode = state.layout;
  if (mode === "auto") mode = level <= room || room >= 640 ? "line" : "column";
  if (mode === "column") {
    const x0 = Math.min(Math.max(...widths, 40), 150) + 24;
    const pitch = 27;
    return { mode, texts, widths, x0, half: labels.map(() => 9), total: pitch * labels.length, room,
      at: labels.map((_, i) => 16 + pitch * i), reach: Math.max(70, Math.min(room - x0 - 14, 260)) };
  }
  const slanted = level > room;
  if (!slanted) {
    const spare = Math.min((room - level) / Math.max(labels.length, 1), 34);
    let x = (room - level - spare * labels.length) / 2;
    const at = cells.map((cell) => { const here = x + (cell + spare) / 2; x += cell + spare; return here; });
    const half = cells.map((cell) => (cell + spare) / 2 - 6);
    return { mode, slanted, texts, widths, at, half, total: room, room, reach: 230 };
  }
  const lead = Math.min(Math.max(...widths.map((w, i) => w * 0.64 - i * 22)), 110) + 14;
  const pitch = Math.max(19, Math.min(52, (room - lead - 13) / labels.length));
  return { mode, slanted, texts, widths, at: labels.map((_, i) => lead + pitch * (i + 0.4)),
    half: labels.map(() => Math.min(0.42 * pitch, 13)), total: lead + pitch * labels.length + 12, room, reach: 250 };
}

// The ends of edges at one token are side by side, in an order in which nested arcs do not cross.
function ports(plan, shown) {
  const ends = labels.map(() => []);
  for (const e of shown) {
    ends[e.from].push({ e, other: e.to });
    ends[e.to].push({ e, other: e.from });
  }
  const place = new Map(shown.map((e) => [e, {}]));
  ends.forEach((list, i) => {
    const before = list.filter((x) => x.other < i).sort((a, b) => b.other - a.other);
    const after = list.filter((x) => x.other >= i).sort((a, b) => b.other - a.other);
    const all = [...before, ...after];
    const gap = Math.min(2 * plan.half[i] / Math.max(all.length - 1, 1), 7);
    all.forEach((x, k) => { place.get(x.e)[i] = plan.at[i] + (k - (all.length - 1) / 2) * gap; });
  });
  return place;
}

// --- the arcs -----------------------------------------------------------------------------------
const visible = () => edges.filter((e) => e.size >= state.threshold || (e.r === null && state.threshold === 0));
function draw() {
  const box = $("arcs");
  const held = document.activeElement && box.contains(document.activeElement)
    ? document.activeElement.dataset : null;
  const beams = state.layout === "attention";
  box.replaceChildren(beams ? drawAttention(box) : drawArcs(box));
  $("beams").hidden = !beams;
  document.querySelectorAll(".legend .of-arcs").forEach((part) => { part.hidden = beams || (part.id === "crosses" && !edges.some((e) => e.left === CONFLICT)); });
  if (held) {
    const key = held.token !== undefined ? `[data-token="${held.token}"]` : `[data-edge="${held.edge}"]`;
    const again = box.querySelector(key);
    if (again) again.focus();
  }
  highlight();
  focusOn(null);
}
function drawArcs(box) {
  const plan = arrange(Math.max(box.clientWidth, 200));
  const [first, last] = [plan.at[0] ?? 0, plan.at[plan.at.length - 1] ?? 0];
  const span = Math.max(last - first, 1);
  const height = (e) => Math.max(22, Math.min(plan.reach, 0.45 * span + 30)
    * (Math.abs(plan.at[e.to] - plan.at[e.from]) / span) ** 0.62);
  const tallest = Math.max(40, ...edges.map(height)) + 10;
  const longest = Math.max(...plan.widths, 10);
  const line = plan.mode === "line";
  const below = plan.slanted ? longest * 0.77 + 26 : 34;
  const [w, h] = line ? [plan.total, tallest + below] : [plan.room, plan.total + 8];
  const spot = line ? (t, d) => [t, tallest - d] : (t, d) => [plan.x0 + d, t];
  const p = (t, d) => spot(t, d).map((v) => v.toFixed(1)).join(" ");
  const svg = shape("svg", { width: w, height: h, viewBox: `0 0 ${w} ${h}`, role: "group",
    "data-mode": plan.slanted ? "slanted" : plan.mode,
    "aria-label": "Tokens and the edges between them; use the arrow keys to move among tokens or edges" });
  if (line) shape("line", { class: "axis", x1: 0, x2: w, y1: tallest + .5, y2: tallest + .5 }, svg);
  else shape("line", { class: "axis", x1: plan.x0, x2: plan.x0, y1: 0, y2: h }, svg);
  const shown = visible();
  const thick = Math.max(1.6, 4 * Math.min(1, Math.sqrt(30 / Math.max(shown.length, 1))));
  const place = ports(plan, shown);
  const wires = shape("g", { role: "group", "aria-label": "Edges" }, svg);
  for (const e of [...shown].sort((a, b) => a.size - b.size)) {
    wires.append(arc(e, place.get(e)[e.from], place.get(e)[e.to], height(e), p, thick));
  }
  const names = shape("g", { role: "group", "aria-label": "Tokens" }, svg);
  labels.forEach((_, i) => names.append(token(i, plan, tallest)));
  rove(names, ".token");
  rove(wires, ".edge");
  return svg;
}
function arc(e, a, b, height, p, thick) {
  const share = Math.max(e.size, 0);
  const head = 8;
  const kind = e.r === null ? "" : e.r < 0 ? " neg" : " pos";
  const said = `${meaning(e)}. Partial correlation ${number(e.r)}.`;
  const g = shape("g", { class: "edge" + kind, "data-edge": e.index, "data-from": e.from,
    "data-to": e.to, role: "img", tabindex: "-1", "aria-label": said });
  const [s, t] = [e.left, e.right].map((mark) => mark === TAIL || mark === CONFLICT ? 0 : head).map((v) => Math.min(v, height * 0.4));
  const top = height * 4 / 3;
  const d = `M ${p(a, s)} C ${p(a, top)} ${p(b, top)} ${p(b, t)}`;
  shape("path", { class: "hit", d }, g);
  shape("path", { class: "wire", d, "stroke-width": (1 + thick * share).toFixed(2),
    "stroke-opacity": (0.4 + 0.5 * share).toFixed(2) }, g);
  for (const [mark, at, end] of [[e.left, a, "from"], [e.right, b, "to"]]) {
    if (mark === ARROW) {
      const half = 3 + thick * share / 3;
      shape("polygon", { class: "arrow", "data-end": end, points: `${p(at, 0)} ${p(at - half, head + 1)} ${p(at + half, head + 1)}` }, g);
    } else if (mark === CIRCLE) {
      const [cx, cy] = p(at, head / 2).split(" ");
      shape("circle", { class: "circle", "data-end": end, cx, cy, r: 3 }, g);
    } else if (mark === CONFLICT) {
      cross(g, p(at, head / 2).split(" ").map(Number), end);
    }
  }
  g.addEventListener("pointerenter", () => focusOn({ edge: e }));
  g.addEventListener("pointerleave", () => focusOn(null));
  g.addEventListener("focus", () => focusOn({ edge: e }));
  g.addEventListener("blur", () => focusOn(null));
  return g;
}
function bareToken(i) {
  const marks = (data.special[i] ? " special" : "") + (data.target === i ? " target" : "");
  const role = data.target === i ? ", the target" : "";
  const g = shape("g", { class: "token" + marks, "data-token": i, role: "button", tabindex: "-1",
    "aria-pressed": "false", "aria-label": `Token ${i + 1}: ${labels[i]}${role}` });
  shape("title", {}, g).textContent = labels[i];
  for (const [event, target] of [["pointerenter", { token: i }], ["focus", { token: i }], ["pointerleave", null], ["blur", null]]) {
    g.addEventListener(event, () => focusOn(target));
  }
  g.addEventListener("click", () => pin(i));
  g.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(i); }
  });
  return g;
}
function token(i, plan, axis) {
  const g = bareToken(i);
  const w = plan.widths[i];
  let turn = "";
  let [x, y, anchor] = [plan.at[i], axis + 21, "middle"];
  let left = x - w / 2;
  if (plan.mode === "column") { [x, y, anchor] = [plan.x0 - 12, plan.at[i] + 4.5, "end"]; left = x - w; }
  else if (plan.slanted) { y = axis + 16; anchor = "end"; x += 4; left = x - w; turn = `rotate(-50 ${x} ${y})`; }
  const body = shape("g", turn ? { transform: turn } : {}, g);
  shape("rect", { class: "plate", x: left - 5, y: y - 14.5, width: w + 10, height: 20, rx: 5 }, body);
  const text = shape("text", { x, y, "text-anchor": anchor, direction: "ltr" }, body);
  const label = plan.texts[i];
  if (label.startsWith("##") && label.length > 2) {
    const sign = shape("tspan", { class: "muted" }, text);
    sign.textContent = "##";
    text.append(label.slice(2));
  } else {
    text.textContent = label;
  }
  return g;
}
function pin(i) {
  state.pinned = state.pinned === i ? null : i;
  focusOn(state.pinned === null ? null : { token: i });
  shade();
}
// --- what is in focus -----------------------------------------------------------------------------
function focusOn(what) {
  if (!what && state.pinned !== null) what = { token: state.pinned };
  const svg = $("arcs").querySelector("svg");
  if (!svg) return;
  const on = (e) => what && (what.edge ? e === what.edge : e.from === what.token || e.to === what.token);
  svg.classList.toggle("focused", Boolean(what));
  for (const g of svg.querySelectorAll(".edge")) g.classList.toggle("on", Boolean(on(edges[g.dataset.edge])));
  for (const beam of svg.querySelectorAll(".beam")) beam.classList.toggle("on", Boolean(what) && Number(beam.dataset.from) === what.token);
  for (const g of svg.querySelectorAll(".token")) {
    const held = Number(g.dataset.token) === state.pinned;
    g.classList.toggle("pinned", held);
    g.setAttribute("aria-pressed", String(held));
  }
  const detail = $("detail");
  detail.replaceChildren();
  if (!what) {
    detail.append(make("span", { class: "soft" }, "Point at a token or an arc, or move there with Tab and the arrow keys. Click a token to keep its edges highlighted."));
  } else if (what.edge) {
    const e = what.edge;
    detail.append(make("b", {}, `${called(e.from)} ${symbol(e)} ${called(e.to)}`), make("br"),
      `${meaning(e)}.`, make("br"),
      make("span", { class: "soft num" }, `Partial correlation ${number(e.r)}, p = ${probability(e.p)}`));
  } else if (state.layout === "attention") {
    detail.append(make("b", {}, called(what.token)), " attends to");
    const list = make("ul");
    for (const one of attended(what.token)) list.append(make("li", {}, `${called(one.j)} (${number(one.value, 2)})`));
    detail.append(list);
  } else {
    const mine = visible().filter(on).sort((a, b) => b.size - a.size);
    const count = mine.length === 1 ? "1 edge" : `${mine.length} edges`;
    detail.append(make("b", {}, called(what.token)), `: ${count} shown`);
    const list = make("ul");
    for (const e of mine) list.append(make("li", {}, `${meaning(e)} (${number(e.r, 2)})`));
    detail.append(list);
  }
}
function highlight() {
  const chosen = state.explanation === null ? [] : data.explanations[state.explanation];
  document.querySelectorAll("[data-token]").forEach((node) => {
    node.classList.toggle("marked", chosen.includes(Number(node.dataset.token)));
  });
  document.querySelectorAll("[data-explanation]").forEach((button) => {
    button.setAttribute("aria-pressed", String(Number(button.dataset.explanation) === state.explanation));
  });
}

// --- the table ------------------------------------------------------------------------------------
const SORT = { from: (e) => e.from, symbol: (e) => symbol(e), to: (e) => e.to, meaning, size: (e) => e.size,
  p: (e) => e.p === null ? 2 : e.p };
function table() {
  const above = visible();
  const mine = filterRows(above, state, (e) => `${called(e.from)} ${symbol(e)} ${called(e.to)}`);
  const rows = sortRows(mine, state, SORT, (a, b) => a.from - b.from || a.to - b.to).map((e) => {
    const row = make("tr", { "data-row": e.index });
    row.append(make("td", {}, called(e.from)), make("td", { class: "symbol" }, symbol(e)),
      make("td", {}, called(e.to)), make("td", { class: "meaning" }, meaning(e)),
      make("td", { class: "num " + (e.r === null ? "" : e.r < 0 ? "neg" : "pos") }, number(e.r)),
      make("td", { class: "num" }, probability(e.p)));
    row.addEventListener("pointerenter", () => focusOn({ edge: e }));
    row.addEventListener("pointerleave", () => focusOn(null));
    return row;
  });
  if (!rows.length) rows.push(emptyRow(6, !edges.length ? "This graph has no edges." : above.length ? "No edge matches the filter." : "No edge reaches this threshold."));
  $("rows").replaceChildren(...rows);
  $("listed").textContent = `${mine.length} of ${data.views[state.view]?.n ?? 0} listed`;
}

// --- the heat maps ----------------------------------------------------------------------------------
const pair = (joint) => (i, j, value) => `${name(i)} ${joint} ${name(j)}: ${number(value)}`;
function maps() {
  const view = data.views[state.view];
  const found = view ? [unpack(view.c), unpack(view.r), unpack(view.a)] : [null, null, null];
  heat("map-correlation", found[0], { signed: true, say: pair("and") });
  heat("map-partial", found[1], { signed: true, say: pair("and") });
  heat("map-attention", found[2], { say: pair("attends to") });
  $("no-maps").hidden = found.some(Boolean);
}
function allMaps() {
  maps();
  heat("map-consensus", data.consensus, { high: String,
    say: (i, j, count) => `${name(i)} and ${name(j)}: an edge in ${count} of ${data.heads} heads` });
}

// --- everything together ------------------------------------------------------------------------------
function facts() {
  const view = data.views[state.view];
  const shown = visible().length;
  $("shown").textContent = `${shown} of ${edges.length} edges shown`;
  $("at-least").textContent = state.threshold.toFixed(2);
  if (!view) return;
  const parts = [view.n === 1 ? "1 edge" : `${view.n} edges`];
  if (view.confidence !== null) parts.push(`structural confidence ${Number(view.confidence.toPrecision(3))}`);
  $("view-facts").textContent = parts.join(", ");
  $("singular").hidden = !view.singular;
  $("cut").hidden = view.n <= edges.length;
  $("previous").disabled = state.view === 0;
  $("next").disabled = state.view === data.views.length - 1;
}
function show(index) {
  state.view = index;
  edges = data.views[index] ? unpackEdges(data.views[index].e) : [];
  $("view").value = String(index);
  refresh();
  maps();
  shade();
}
function refresh() { draw(); table(); facts(); }

data.views.forEach((view, k) => {
  $("view").append(make("option", { value: k }, view.name + (view.singular ? " (singular)" : "")));
});
$("view").addEventListener("change", (event) => show(Number(event.target.value)));
$("previous").addEventListener("click", () => show(state.view - 1));
$("next").addEventListener("click", () => show(state.view + 1));
$("threshold").addEventListener("input", (event) => { state.threshold = Number(event.target.value); refresh(); });
document.querySelectorAll("[data-layout]").forEach((button) => button.addEventListener("click", () => {
  state.layout = button.dataset.layout;
  document.querySelectorAll("[data-layout]").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
  draw();
}));
document.querySelectorAll("[data-explanation]").forEach((button) => button.addEventListener("click", () => {
  const k = Number(button.dataset.explanation);
  state.explanation = state.explanation === k ? null : k;
  highlight();
}));
$("shade").addEventListener("change", shade);
const unique = () => new Set(labels).size === labels.length ? labels : labels.map((label, i) => `${i}:${label}`);
downloads("graph", ["source", "edge", "target", "partial_correlation", "p_value"],
  () => edges.map((e) => ({ source: unique()[e.from], edge: symbol(e), target: unique()[e.to], partial_correlation: e.r, p_value: e.p })),
  (rows) => ({ format: "jaxcause.causal_graph", version: 1, variables: unique(), edges: rows }));
sortable(state, ["size"], table);
filterable(state, table);
$("places").hidden = labels.every((_, i) => !nth(i));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.pinned !== null) { state.pinned = null; focusOn(null); shade(); }
});
["map-correlation", "map-partial", "map-attention", "map-consensus"].forEach(watch);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", allMaps);
let width = 0;
new ResizeObserver(() => {
  const now = $("arcs").clientWidth;
  if (Math.abs(now - width) < 2) return;
  width = now;
  draw();
  allMaps();
}).observe($("arcs"));
document.querySelector(".maps").style.setProperty("--map", labels.length > 24 ? "480px" : labels.length > 12 ? "260px" : "220px");
width = $("arcs").clientWidth;
show(0);
allMaps();
