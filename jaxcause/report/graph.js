// --- paths between points: cubic curves [start, control, control, end] ---------------------------------
const HEAD = 8;
const towards = (a, b) => {
  const [x, y] = [b[0] - a[0], b[1] - a[1]];
  const length = Math.hypot(x, y) || 1;
  return [x / length, y / length];
};
const move = (a, d, by) => [a[0] + d[0] * by, a[1] + d[1] * by];
const blend = (a, b, share) => [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share];
// Bends to the right of its direction, so that the two directions of a pair do not overlap.
function bow(a, b, height) {
  const d = towards(a, b);
  const top = move(blend(a, b, 0.5), [-d[1], d[0]], 2 * height);
  return [a, blend(a, top, 2 / 3), blend(b, top, 2 / 3), b];
}
function pointOn(c, t) {
  const s = 1 - t;
  return [0, 1].map((k) => s * s * s * c[0][k] + 3 * s * s * t * c[1][k] + 3 * s * t * t * c[2][k] + t * t * t * c[3][k]);
}
const SAMPLES = Array.from({ length: 15 }, (_, k) => (k + 1) / 16);
function clearest(curves, others, needed) {
  let [best, most] = [curves[0], -1];
  for (const curve of curves) {
    let near = needed;
    for (const t of SAMPLES) {
      const p = pointOn(curve, t);
      for (const o of others) near = Math.min(near, Math.hypot(p[0] - o[0], p[1] - o[1]));
    }
    if (near > most) [best, most] = [curve, near];
    if (near >= needed) break;
  }
  return best;
}

// --- an edge with its marks ------------------------------------------------------------------------------
const written = (p) => p.map((v) => v.toFixed(1)).join(" ");
function wire(g, curve, e, { gap, width, opacity, head = HEAD }) {
  const [start, end] = [towards(curve[0], curve[1]), towards(curve[3], curve[2])];
  const tips = [move(curve[0], start, gap), move(curve[3], end, gap)];
  const bases = [[tips[0], start, e.left], [tips[1], end, e.right]].map(([tip, d, mark]) => move(tip, d, mark === TAIL || mark === CONFLICT ? 0 : head));
  const d = `M ${written(bases[0])} C ${written(curve[1])} ${written(curve[2])} ${written(bases[1])}`;
  shape("path", { class: "hit", d }, g);
  shape("path", { class: "wire", d, "stroke-width": width.toFixed(2), "stroke-opacity": opacity.toFixed(2) }, g);
  for (const [mark, tip, way, end_] of [[e.left, tips[0], start, "from"], [e.right, tips[1], end, "to"]]) {
    if (mark === ARROW) {
      const [base, half] = [move(tip, way, head + 1), 3 + width / 3];
      const corners = [tip, move(base, [-way[1], way[0]], half), move(base, [way[1], -way[0]], half)];
      shape("polygon", { class: "arrow", "data-end": end_, points: corners.map(written).join(" ") }, g);
    } else if (mark === CIRCLE) {
      const [cx, cy] = move(tip, way, head / 2).map((v) => v.toFixed(1));
      shape("circle", { class: "circle", "data-end": end_, cx, cy, r: 3.2 }, g);
    } else if (mark === CONFLICT) {
      cross(g, move(tip, way, head / 2), end_);
    }
  }
}

// --- where the variables stand ------------------------------------------------------------------------------
// Loops are outside the ring, and move the names of their variables further out.
function onRing(room, loops) {
  const n = labels.length;
  const level = n <= 20;
  const size = level ? 13.5 : Math.max(9.5, Math.min(12.5, 1500 / n));
  const narrow = room < 500;
  const [loop, out] = level ? (narrow ? [34, 31] : [46, 41]) : [26, 22];
  const angle = labels.map((_, i) => -Math.PI / 2 + 2 * Math.PI * i / n);
  // The space that the smallest ring leaves beside a variable, or between its neighbours for a name centred above or below.
  const least = Math.min(110 + 16 * n, narrow ? Math.max(40, 10 * (n - 1)) : 0.17 * room);
  const centred = angle.map((a) => level && Math.abs(Math.cos(a)) < 0.2);
  const alone = 150 * (1 - Math.cos(2 * Math.PI / n)) > 20;
  const free = (i) => centred[i] ? (alone ? room - 20 : 2 * least * Math.sin(2 * Math.PI / n))
    : room / 2 - least * Math.abs(Math.cos(angle[i])) - 18 - (loops.has(i) ? out : 0);
  const most = (i) => level ? Math.max(Math.min(150, 0.23 * room), free(i)) : Math.min(110, 0.2 * room);
  const texts = shortenAll(labels, labels.map((_, i) => most(i)), size);
  const needed = texts.map((text, i) => centred[i] ? widthOf(text, size, 500) / 2 : widthOf(text, size, 500) + 18 + (loops.has(i) ? out : 0));
  const widest = Math.max(...needed);
  // The ring is as wide as every name allows on its side.
  const fits = angle.map((a, i) => (room / 2 - needed[i]) / Math.max(Math.abs(Math.cos(a)), 0.2));
  const rx = Math.max(40, Math.min(...(level ? [...fits, 110 + 16 * n] : [room / 2 - widest, 330])));
  const ry = level ? Math.max(rx, Math.min(Math.max(150, 10.5 * n), 60 + 14 * n)) * (n > 2 ? 1 : 0.4) : rx;
  const top = level ? 30 + (loops.size ? out : 0) : widest + 4;
  const at = angle.map((a) => n === 1 ? [room / 2, top] : [room / 2 + rx * Math.cos(a), ry + top + ry * Math.sin(a)]);
  const [w, h] = [room, Math.max(...at.map(([, y]) => y)) + top];
  const radius = Math.max(3, Math.min(9, 1.1 * rx / n));
  const every = Math.max(1, Math.ceil(1.05 * size * n / (2 * Math.PI * (rx + 12))));
  return { mode: "ring", w, h, middle: [room / 2, ry + top], at, angle, radius, texts, size, level, every, loops, loop, out };
}
function inTime(room) {
  const [n, steps] = [labels.length, data.max_lag + 1];
  const size = n <= 30 ? 13 : 11;
  const texts = shortenAll(labels, labels.map(() => Math.min(240, 0.27 * room)), size);
  const x0 = Math.max(...texts.map((text) => widthOf(text, size, 500))) + 20;
  const [pitch, arcs] = [n <= 12 ? 38 : n <= 30 ? 27 : 19, room < 500 ? 34 : 90];
  const gap = Math.max(26, Math.min(150, (room - x0 - arcs) / Math.max(steps - 1, 1)));
  const place = (i, lag) => [x0 + (steps - 1 - lag) * gap, 16 + pitch * i];
  return { mode: "time", w: x0 + (steps - 1) * gap + arcs, h: 16 + pitch * n + 18, place, gap, pitch, x0, arcs, texts, size,
    radius: n <= 30 ? 6 : 4.5 };
}
