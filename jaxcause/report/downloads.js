// --- downloads: the picture as it is shown, and the edges ------------------------------------------------------
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-size", "font-family", "font-weight"];
function saveAs(name, type, content) {
  const link = make("a", { download: name, href: URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type })) });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 30000);
}
// A copy of the picture that needs no style sheet.
function pictureText() {
  const svg = $("arcs").querySelector("svg");
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  from.forEach((part, k) => {
    const style = getComputedStyle(part);
    for (const key of STYLES) to[k].setAttribute(key, style.getPropertyValue(key));
  });
  for (const part of copy.querySelectorAll(".hit")) part.remove();
  for (const part of copy.querySelectorAll("[tabindex]")) part.removeAttribute("tabindex");
  const box = svg.getBBox();
  const [x, y, w, h] = [box.x - 12, box.y - 12, box.width + 24, box.height + 24].map((v) => Math.round(v));
  for (const [key, value] of Object.entries({ xmlns: "http://www.w3.org/2000/svg", width: w, height: h, viewBox: `${x} ${y} ${w} ${h}` })) copy.setAttribute(key, value);
  copy.prepend(shape("rect", { x, y, width: w, height: h, fill: color("--card") }));
  return { text: new XMLSerializer().serializeToString(copy), w, h };
}
function savePng(name) {
  const { text, w, h } = pictureText();
  const image = new Image();
  image.onload = () => {
    const canvas = make("canvas", { width: 2 * w, height: 2 * h });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * w, 2 * h);
    canvas.toBlob((blob) => saveAs(name, "image/png", blob), "image/png");
  };
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
}
const quoted = (cell) => cell === null || cell === undefined ? "" : /[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell);
function downloads(stem, columns, rows, document_) {
  const make_ = {
    svg: () => saveAs(`${stem}.svg`, "image/svg+xml", pictureText().text),
    png: () => savePng(`${stem}.png`),
    csv: () => saveAs(`${stem}.csv`, "text/csv", [columns, ...rows().map((row) => columns.map((key) => row[key]))].map((cells) => cells.map(quoted).join(",") + "\r\n").join("")),
    json: () => saveAs(`${stem}.json`, "application/json", JSON.stringify(document_(rows()), null, 1) + "\n"),
  };
  document.querySelectorAll("[data-download]").forEach((button) => button.addEventListener("click", () => make_[button.dataset.download]()));
}
