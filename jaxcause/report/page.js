(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const [NONE, CIRCLE, ARROW, TAIL] = [0, 1, 2, 3];
  const labels = data.labels;
  const state = { view: 0, threshold: 0, explanation: data.explanations.length ? 0 : null,
    pinned: null, layout: "auto", sort: "size", up: false };
  let edges = [];

  // --- reading the packed data ---------------------------------------------------------------
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
  function unpackEdges(flat) {
    const found = [];
    for (let k = 0; k < flat.length; k += 6) {
      const r = flat[k + 4] === null ? null : flat[k + 4] / 1e4;
      found.push({ from: flat[k], to: flat[k + 1], left: flat[k + 2], right: flat[k + 3], r,
        p: flat[k + 5], size: r === null ? -1 : Math.abs(r), index: k / 6 });
    }
    return found;
  }

  // --- words -----------------------------------------------------------------------------------
  const name = (i) => "\u201c\u2068" + labels[i] + "\u2069\u201d";
  const number = (value, digits = 3) => value === null || value === undefined ? "not defined"
    : value.toFixed(digits).replace("-", "\u2212");
  const probability = (p) => p === null ? "\u2013" : p === 0 ? "< 1e\u2212300"
    : p < 1e-3 ? p.toExponential(1).replace("-", "\u2212") : p.toPrecision(2);
  const symbol = (e) => ({ [CIRCLE]: "o", [ARROW]: "<", [TAIL]: "-" }[e.left]) + "-"
    + { [CIRCLE]: "o", [ARROW]: ">", [TAIL]: "-" }[e.right];
  function meaning(e) {
    const [a, b] = [name(e.from), name(e.to)];
    const key = e.left * 10 + e.right;
    return {
      [CIRCLE * 10 + CIRCLE]: `${a} and ${b} are related; which way is not decided`,
      [CIRCLE * 10 + ARROW]: `${b} is not an ancestor of ${a}: ${a} causes ${b}, or both share a latent cause`,
      [ARROW * 10 + CIRCLE]: `${a} is not an ancestor of ${b}: ${b} causes ${a}, or both share a latent cause`,
      [TAIL * 10 + ARROW]: `${a} causes ${b}`,
      [ARROW * 10 + TAIL]: `${b} causes ${a}`,
      [ARROW * 10 + ARROW]: `${a} shares a latent cause with ${b}; neither causes the other`,
      [TAIL * 10 + TAIL]: `${a} and ${b} are tied by selection: each is an ancestor of the other or of what was selected`,
      [TAIL * 10 + CIRCLE]: `${a} is an ancestor of ${b} or of what was selected; the other end is not decided`,
      [CIRCLE * 10 + TAIL]: `${b} is an ancestor of ${a} or of what was selected; the other end is not decided`,
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
  const pen = document.createElement("canvas").getContext("2d");
  const FONT = getComputedStyle(document.body).fontFamily;
  function widthOf(text, size = 14, weight = 650) {
    pen.font = `${weight} ${size}px ${FONT}`;
    return pen.measureText(text).width;
  }
  function shorten(text, most, size = 14, weight = 650) {
    if (widthOf(text, size, weight) <= most) return text;
    const letters = Array.from(text);
    while (letters.length > 1 && widthOf(letters.join("") + "\u2026", size, weight) > most) letters.pop();
    return letters.join("") + "\u2026";
  }

  // --- where the tokens stand ---------------------------------------------------------------------
  function arrange(room) {
    const texts = labels.map((label) => shorten(label, 150));
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

  // Ends of edges at one token stand side by side in the order in which nested arcs do not cross.
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
      "aria-label": "Tokens and the edges between them; arrow keys move among tokens or edges" });
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
    box.replaceChildren(svg);
    if (held) {
      const key = held.token !== undefined ? `[data-token="${held.token}"]` : `[data-edge="${held.edge}"]`;
      const again = box.querySelector(key);
      if (again) again.focus();
    }
    highlight();
    focusOn(null);
  }
  function arc(e, a, b, height, p, thick) {
    const share = Math.max(e.size, 0);
    const head = 8;
    const kind = e.r === null ? "" : e.r < 0 ? " neg" : " pos";
    const said = `${meaning(e)}. Partial correlation ${number(e.r)}.`;
    const g = shape("g", { class: "edge" + kind, "data-edge": e.index, "data-from": e.from,
      "data-to": e.to, role: "img", tabindex: "-1", "aria-label": said });
    const [s, t] = [e.left === TAIL ? 0 : head, e.right === TAIL ? 0 : head].map((v) => Math.min(v, height * 0.4));
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
      }
    }
    g.addEventListener("pointerenter", () => focusOn({ edge: e }));
    g.addEventListener("pointerleave", () => focusOn(null));
    g.addEventListener("focus", () => focusOn({ edge: e }));
    g.addEventListener("blur", () => focusOn(null));
    return g;
  }
  function token(i, plan, axis) {
    const marks = (data.special[i] ? " special" : "") + (data.target === i ? " target" : "");
    const role = data.target === i ? ", the target" : "";
    const g = shape("g", { class: "token" + marks, "data-token": i, role: "button", tabindex: "-1",
      "aria-pressed": "false", "aria-label": `Token ${i + 1}: ${labels[i]}${role}` });
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
    shape("title", {}, g).textContent = labels[i];
    g.addEventListener("pointerenter", () => focusOn({ token: i }));
    g.addEventListener("pointerleave", () => focusOn(null));
    g.addEventListener("focus", () => focusOn({ token: i }));
    g.addEventListener("blur", () => focusOn(null));
    g.addEventListener("click", () => pin(i));
    g.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pin(i); }
    });
    return g;
  }
  function pin(i) {
    state.pinned = state.pinned === i ? null : i;
    focusOn(state.pinned === null ? null : { token: i });
  }
  // One stop of the Tab key for a group; arrow keys move inside.
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

  // --- what is in focus -----------------------------------------------------------------------------
  function focusOn(what) {
    if (!what && state.pinned !== null) what = { token: state.pinned };
    const svg = $("arcs").querySelector("svg");
    if (!svg) return;
    const on = (e) => what && (what.edge ? e === what.edge : e.from === what.token || e.to === what.token);
    svg.classList.toggle("focused", Boolean(what));
    for (const g of svg.querySelectorAll(".edge")) g.classList.toggle("on", Boolean(on(edges[g.dataset.edge])));
    for (const g of svg.querySelectorAll(".token")) {
      const held = Number(g.dataset.token) === state.pinned;
      g.classList.toggle("pinned", held);
      g.setAttribute("aria-pressed", String(held));
    }
    const detail = $("detail");
    detail.replaceChildren();
    if (!what) {
      detail.append(make("span", { class: "soft" }, "Point at a token or an arc, or reach it with Tab and the arrow keys. Click a token to keep its edges in view."));
    } else if (what.edge) {
      const e = what.edge;
      detail.append(make("b", {}, `${labels[e.from]} ${symbol(e)} ${labels[e.to]}`), make("br"),
        `${meaning(e)}.`, make("br"),
        make("span", { class: "soft num" }, `Partial correlation ${number(e.r)}, p = ${probability(e.p)}`));
    } else {
      const mine = visible().filter(on).sort((a, b) => b.size - a.size);
      const count = mine.length === 1 ? "1 edge" : `${mine.length} edges`;
      detail.append(make("b", {}, labels[what.token]), `: ${count} shown`);
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
    const value = SORT[state.sort];
    const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (state.up ? 1 : -1);
    const rows = visible().sort((a, b) => order(a, b) || a.from - b.from || a.to - b.to).map((e) => {
      const row = make("tr", { "data-row": e.index });
      row.append(make("td", {}, labels[e.from]), make("td", { class: "symbol" }, symbol(e)),
        make("td", {}, labels[e.to]), make("td", {}, meaning(e)),
        make("td", { class: "num " + (e.r === null ? "" : e.r < 0 ? "neg" : "pos") }, number(e.r)),
        make("td", { class: "num" }, probability(e.p)));
      row.addEventListener("pointerenter", () => focusOn({ edge: e }));
      row.addEventListener("pointerleave", () => focusOn(null));
      return row;
    });
    if (!rows.length) {
      const cell = make("td", { colspan: "6", class: "soft" }, edges.length ? "No edge reaches this threshold." : "This view has no edge.");
      const row = make("tr");
      row.append(cell);
      rows.push(row);
    }
    $("rows").replaceChildren(...rows);
    document.querySelectorAll("th[data-sort]").forEach((th) => {
      th.setAttribute("aria-sort", th.dataset.sort !== state.sort ? "none" : state.up ? "ascending" : "descending");
    });
  }

  // --- the heat maps ----------------------------------------------------------------------------------
  const color = (key) => getComputedStyle(document.documentElement).getPropertyValue(key).trim();
  const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  function mix(a, b, share) {
    const [x, y] = [rgb(a), rgb(b)];
    return `rgb(${x.map((v, k) => Math.round(v + (y[k] - v) * share)).join(",")})`;
  }
  const LAST = {};
  function heat(id, matrix, signed, unit) {
    const panel = $(id);
    panel.hidden = !matrix;
    if (!matrix) return;
    const n = matrix.length;
    const canvas = panel.querySelector("canvas");
    const room = panel.clientWidth;
    const known = matrix.flat().filter((v) => v !== null);
    const most = signed ? 1 : Math.max(1e-9, ...known);
    const widest = Math.max(...labels.map((label) => widthOf(label, 11.5, 400)));
    const gutter = Math.min(widest + 9, 96, 0.4 * room);
    const cell = Math.min(28, (room - gutter - 2) / n);
    const size = gutter + cell * n + 2;
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(size * ratio), Math.round(size * ratio)];
    [canvas.style.width, canvas.style.height] = [`${size}px`, `${size}px`];
    const g = canvas.getContext("2d");
    g.scale(ratio, ratio);
    const [zero, pos, neg, seq, ink, soft, none] = ["--zero", "--pos", "--neg", "--seq", "--ink", "--soft", "--line"].map(color);
    const shades = (end) => Array.from({ length: 129 }, (_, k) => mix(zero, end, k / 128));
    const [below, above] = signed ? [shades(neg), shades(pos)] : [[], shades(seq)];
    const shade = (v) => v === null ? none
      : (v < 0 && signed ? below : above)[Math.round(128 * Math.min(1, Math.max(0, (signed ? Math.abs(v) : v) / most)))];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        g.fillStyle = shade(matrix[i][j]);
        g.fillRect(gutter + j * cell, gutter + i * cell, cell + 0.4, cell + 0.4);
        if (matrix[i][j] === null) {
          g.strokeStyle = soft;
          g.lineWidth = 0.6;
          g.beginPath();
          g.moveTo(gutter + j * cell, gutter + (i + 1) * cell);
          g.lineTo(gutter + (j + 1) * cell, gutter + i * cell);
          g.stroke();
        }
      }
    }
    const letters = Math.max(8.5, Math.min(11.5, cell * 0.95));
    const every = Math.max(1, Math.ceil((letters + 1) / cell));
    g.font = `${letters}px ${FONT}`;
    g.textBaseline = "middle";
    for (let i = 0; i < n; i += every) {
      g.fillStyle = data.special[i] ? soft : ink;
      const text = shorten(labels[i], gutter - 8, letters, 400);
      const along = gutter + (i + 0.5) * cell;
      g.textAlign = "right";
      g.fillText(text, gutter - 5, along);
      g.save();
      g.translate(along, gutter - 5);
      g.rotate(-Math.PI / 2);
      g.textAlign = "left";
      g.fillText(text, 0, 0);
      g.restore();
    }
    const ramp = panel.querySelector(".ramp");
    ramp.style.background = signed ? `linear-gradient(to right, ${neg}, ${zero}, ${pos})` : `linear-gradient(to right, ${zero}, ${seq})`;
    panel.querySelector(".low").textContent = signed ? "\u22121" : "0";
    panel.querySelector(".high").textContent = unit === "heads" ? String(most) : signed ? "1" : number(most, 2);
    LAST[id] = { matrix, gutter, cell, unit };
  }
  function readout(id, i, j) {
    const { matrix, unit } = LAST[id];
    const value = unit === "heads" ? `${matrix[i][j]} of ${data.heads} heads` : number(matrix[i][j]);
    const joint = unit === "attention" ? "attends to" : "and";
    $(id).querySelector("output").textContent = `${name(i)} ${joint} ${name(j)}: ${value}`;
  }
  function watch(id) {
    const panel = $(id);
    if (!panel) return;
    const canvas = panel.querySelector("canvas");
    let at = [0, 0];
    canvas.addEventListener("pointermove", (event) => {
      const { gutter, cell, matrix } = LAST[id];
      const [j, i] = [event.offsetX, event.offsetY].map((v) => Math.floor((v - gutter) / cell));
      if (i >= 0 && j >= 0 && i < matrix.length && j < matrix.length) readout(id, ...(at = [i, j]));
    });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      const n = LAST[id].matrix.length;
      at = at.map((v, k) => Math.min(n - 1, Math.max(0, v + step[k])));
      readout(id, ...at);
    });
    canvas.addEventListener("focus", () => readout(id, ...at));
  }
  function maps() {
    const view = data.views[state.view];
    const found = view ? [unpack(view.c), unpack(view.r), unpack(view.a)] : [null, null, null];
    heat("map-correlation", found[0], true, "correlation");
    heat("map-partial", found[1], true, "partial correlation");
    heat("map-attention", found[2], false, "attention");
    $("no-maps").hidden = found.some(Boolean);
  }
  function allMaps() { maps(); heat("map-consensus", data.consensus, false, "heads"); }

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
  document.querySelectorAll("th[data-sort]").forEach((th) => th.querySelector("button").addEventListener("click", () => {
    const key = th.dataset.sort;
    [state.sort, state.up] = [key, state.sort === key ? !state.up : key !== "size"];
    table();
  }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && state.pinned !== null) { state.pinned = null; focusOn(null); }
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
})();
