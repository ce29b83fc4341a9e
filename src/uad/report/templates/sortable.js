// A click on a heading sorts its table, best or first first; a second one turns it round, a third one
// restores the order. Headings of blocks are hidden as long as their rows are apart.
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.querySelectorAll("tbody tr")], places = rows.map(row => row.parentNode);
  for (const button of table.querySelectorAll("th button")) button.onclick = () => {
    const head = button.parentNode, column = head.cellIndex, numeric = button.dataset.n === "1";
    const first = numeric ? "descending" : "ascending";
    const second = numeric ? "ascending" : "descending";
    const next = head.ariaSort === first ? second : head.ariaSort === second ? null : first;
    for (const other of head.parentNode.cells) other.ariaSort = null;
    head.ariaSort = next;
    if (!next) return rows.forEach((row, i) => { row.hidden = false; places[i].append(row); });
    const value = row => {
      const text = row.cells[column].textContent;
      if (!numeric) return text;
      if (text === "∞" || text === "–") return text === "∞" ? Infinity : -Infinity;
      return parseFloat(text.replace("−", "-"));
    };
    const sign = next === "ascending" ? 1 : -1, moved = rows.filter(row => row.className !== "block");
    const keys = new Map(moved.map(row => [row, value(row)]));
    moved.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return sign * (x < y ? -1 : x > y ? 1 : 0);
    });
    for (const row of rows) row.hidden = row.className === "block";
    places[0].append(...moved);
  };
}
