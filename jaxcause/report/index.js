(() => {
  "use strict";
  const body = document.querySelector("tbody");
  const heads = [...document.querySelectorAll("th")];
  const key = (row, k) => row.cells[k].dataset.key;
  // Unknown numbers come last, whichever way the table is sorted.
  function compare(a, b, k, up) {
    const [x, y] = [key(a, k), key(b, k)];
    if (x === undefined && y === undefined) {
      return a.cells[k].textContent.localeCompare(b.cells[k].textContent) * (up ? 1 : -1);
    }
    if (x === "" || y === "") return (x === "") - (y === "");
    return (Number(x) - Number(y)) * (up ? 1 : -1);
  }
  heads.forEach((th, k) => th.querySelector("button").addEventListener("click", () => {
    const up = th.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...[...body.rows].sort((a, b) => compare(a, b, k, up)));
  }));
})();
