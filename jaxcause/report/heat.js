// --- the heat maps ----------------------------------------------------------------------------------
const color = (key) => getComputedStyle(document.documentElement).getPropertyValue(key).trim();
const rgb = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
function mix(a, b, share) {
  const [x, y] = [rgb(a), rgb(b)];
  return `rgb(${x.map((v, k) => Math.round(v + (y[k] - v) * share)).join(",")})`;
}
const LAST = {};
function heat(id, matrix, { signed = false, most = null, high = (most) => number(most, 2), say }) {
  const panel = $(id);
  panel.hidden = !matrix;
  if (!matrix) return;
  const n = matrix.length;
  const canvas = panel.querySelector("canvas");
  const room = panel.clientWidth;
  const known = matrix.flat().filter((v) => v !== null);
  if (most === null) most = signed ? 1 : Math.max(1e-9, ...known);
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
  const texts = shortenAll(labels, labels.map(() => gutter - 8), letters, 400);
  const every = Math.max(1, Math.ceil((letters + 1) / cell));
  g.font = `${letters}px ${FONT}`;
  g.textBaseline = "middle";
  for (let i = 0; i < n; i += every) {
    g.fillStyle = data.special[i] ? soft : ink;
    const text = texts[i];
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
  panel.querySelector(".high").textContent = signed ? "1" : high(most);
  LAST[id] = { matrix, gutter, cell, say };
}
function readout(id, i, j) {
  const { matrix, say } = LAST[id];
  $(id).querySelector("output").textContent = say(i, j, matrix[i][j]);
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
