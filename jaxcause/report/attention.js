// --- attention as beams from the tokens on the left to those on the right --------------------------------------
const FAINTEST = 0.02;
function drawAttention(box) {
  const matrix = unpack(data.views[state.view]?.a);
  const room = Math.max(box.clientWidth, 200);
  const texts = shortenAll(labels, labels.map(() => Math.min(150, 0.34 * room)), 14, 650);
  const widths = texts.map((text) => widthOf(text));
  const [widest, pitch] = [Math.max(...widths, 30), 25];
  const w = Math.min(room, 2 * widest + 460);
  const [left, right, h] = [widest + 14, w - widest - 14, 16 + pitch * labels.length];
  const y = (i) => 16 + pitch * i;
  const svg = shape("svg", { width: w, height: h, viewBox: `0 0 ${w} ${h}`, role: "group", "data-mode": "attention",
    "aria-label": "Attention from the tokens on the left to those on the right; use the arrow keys to move among tokens" });
  const beams = shape("g", { "aria-hidden": "true" }, svg);
  const most = Math.max(1e-9, ...(matrix ?? []).flat().filter((v) => v !== null));
  (matrix ?? []).forEach((row, i) => row.forEach((value, j) => {
    if (value === null || value < FAINTEST) return;
    shape("path", { class: "beam", "data-from": i, d: `M ${left} ${y(i) - 4} C ${(left + right) / 2} ${y(i) - 4} ${(left + right) / 2} ${y(j) - 4} ${right} ${y(j) - 4}`,
      "stroke-opacity": (value / most).toFixed(3), "stroke-width": (1 + 2.5 * value / most).toFixed(2) }, beams);
  }));
  const names = shape("g", { role: "group", "aria-label": "Tokens" }, svg);
  labels.forEach((_, i) => {
    const g = bareToken(i);
    shape("rect", { class: "plate", x: left - 10 - widths[i] - 5, y: y(i) - 14.5, width: widths[i] + 10, height: 20, rx: 5 }, g);
    shape("text", { x: left - 10, y: y(i), "text-anchor": "end", direction: "ltr" }, g).textContent = texts[i];
    shape("text", { class: "facing", x: right + 10, y: y(i), direction: "ltr" }, g).textContent = texts[i];
    names.append(g);
  });
  rove(names, ".token");
  return svg;
}
// What a token attends to, strongest first.
function attended(i) {
  const row = unpack(data.views[state.view]?.a)?.[i] ?? [];
  return row.map((value, j) => ({ value, j })).filter((one) => one.value !== null && one.value >= FAINTEST).sort((a, b) => b.value - a.value);
}

// --- the tokens of the sentence in colours ----------------------------------------------------------------------
const SHADES = {
  a: { matrix: "a", signed: false, say: "attends to it", about: "attention from" },
  r: { matrix: "r", signed: true, say: "partial correlation", about: "partial correlation with" },
  m: { matrix: "a", signed: false, say: "attention received on average", about: null },
};
function shade() {
  const how = SHADES[$("shade").value];
  const about = state.pinned ?? data.target;
  const matrix = how && unpack(data.views[state.view]?.[how.matrix]);
  const values = !matrix ? [] : !how.about ? labels.map((_, j) => matrix.reduce((sum, row) => sum + (row[j] ?? 0), 0) / labels.length)
    : about === null ? [] : labels.map((_, j) => j === about ? null : matrix[about][j]);
  const most = Math.max(1e-9, ...values.filter((v) => v !== null).map(Math.abs));
  document.querySelectorAll(".sentence .t").forEach((word) => {
    const value = values[Number(word.dataset.token)];
    const shown = how && value !== null && value !== undefined;
    word.classList.toggle("shaded", Boolean(how));
    const hue = !how?.signed ? "--seq" : value < 0 ? "--neg" : "--pos";
    word.style.background = shown ? `color-mix(in srgb, var(${hue}) ${Math.round(70 * Math.abs(value) / most)}%, transparent)` : "";
    word.title = shown ? `${how.say}: ${number(value)}` : "";
  });
  $("shade-note").textContent = !how ? "" : !matrix ? "this page does not contain the matrices of this graph"
    : how.about && about === null ? "click a token of the graph to choose it"
    : `${how.about ? `${how.about} ${name(about)}; ` : ""}strongest ${number(most)}${how.signed ? ", blue +, orange \u2212" : ""}; of the chosen graph; click another token of the graph to choose it`;
}
