// --- the graph as a matrix: rows are sources, columns targets; for more variables than a ring holds -----------
// Variables that edges join stand together: each next one is the one most strongly joined to the last few.
function joinedOrder() {
  const n = labels.length;
  const joined = Array.from({ length: n }, () => new Float64Array(n));
  for (const e of edges) {
    if (e.from === e.to) continue;
    joined[e.from][e.to] += Math.max(e.size, 0);
    joined[e.to][e.from] += Math.max(e.size, 0);
  }
  const total = joined.map((row) => row.reduce((sum, v) => sum + v, 0));
  const left = new Set(labels.keys());
  const order = [];
  while (left.size) {
    const near = (i) => order.slice(-4).reduce((sum, j, k) => sum + (k + 1) * joined[i][j], 0);
    let [best, most] = [null, -1];
    for (const i of left) {
      const value = near(i) || (order.length ? 0 : total[i]);
      if (value > most) [best, most] = [i, value];
    }
    if (most === 0 && order.length) best = [...left].reduce((a, b) => total[b] > total[a] ? b : a);
    left.delete(best);
    order.push(best);
  }
  return order;
}
function inMatrix(room) {
  const n = labels.length;
  const order = joinedOrder();
  const rank = new Array(n);
  order.forEach((i, k) => { rank[i] = k; });
  const size = n <= 16 ? 13 : 11;
  const texts = shortenAll(labels, labels.map(() => Math.min(170, 0.32 * room)), size);
  const gutter = Math.max(...texts.map((text) => widthOf(text, size, 500))) + 14;
  const cell = Math.max(size + 1.5, Math.min(30, (room - gutter - 4) / n));
  return { mode: "matrix", order, rank, texts, size, gutter, cell, w: gutter + cell * n + 2, h: gutter + cell * n + 2 };
}
function matrixNodes(plan, parent) {
  const { gutter, cell, size } = plan;
  plan.order.forEach((i, k) => {
    const g = node(i, parent);
    const middle = gutter + (k + 0.5) * cell;
    shape("rect", { class: "own", x: gutter + k * cell, y: gutter + k * cell, width: cell, height: cell }, g);
    shape("text", { class: "name", x: gutter - 7, y: middle + 0.35 * size, "text-anchor": "end", "font-size": size, direction: "ltr" }, g).textContent = plan.texts[i];
    shape("text", { class: "name across", x: middle + 0.35 * size, y: gutter - 7, "font-size": size, direction: "ltr",
      transform: `rotate(-90 ${(middle + 0.35 * size).toFixed(1)} ${(gutter - 7).toFixed(1)})` }, g).textContent = plan.texts[i];
  });
}
function matrixGrid(plan, parent) {
  const { gutter, cell } = plan;
  const end = gutter + cell * labels.length;
  for (let k = 0; k <= labels.length; k++) {
    const at = (gutter + k * cell).toFixed(1);
    shape("path", { class: "axis", d: `M ${at} ${gutter} V ${end} M ${gutter} ${at} H ${end}` }, parent);
  }
}
function matrixEdge(g, group, plan) {
  const { gutter, cell, rank } = plan;
  const [x, y] = [gutter + rank[group.to] * cell + 1, gutter + rank[group.from] * cell + 1];
  const share = Math.max(group.size, 0) / largest;
  shape("rect", { class: "cell", x, y, width: cell - 2, height: cell - 2, rx: 2, "fill-opacity": (0.35 + 0.65 * share).toFixed(2) }, g);
  shape("title", {}, g).textContent = group.edges.map((e) => `${labels[e.from]} ${step(e.lag)} ${symbol(e)} ${labels[e.to]}`).join("\n");
  const text = lagText(group.edges.map((e) => e.lag));
  if (widthOf(text, 10, 500) > cell - 3) return;
  shape("text", { class: "lags", x: x + cell / 2 - 1, y: y + cell / 2 + 2.5, "text-anchor": "middle", "font-size": 10 }, g).textContent = text;
}
