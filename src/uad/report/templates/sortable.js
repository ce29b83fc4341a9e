for (const button of document.querySelectorAll("th button")) button.onclick = () => {
  const head = button.parentNode, column = head.cellIndex, numeric = button.dataset.n === "1";
  const before = head.ariaSort || (numeric ? "ascending" : "descending");
  const sign = before === "ascending" ? -1 : 1;
  for (const other of head.parentNode.cells) other.ariaSort = null;
  head.ariaSort = sign > 0 ? "ascending" : "descending";
  const value = row => {
    const text = row.cells[column].textContent;
    if (!numeric) return text;
    if (text === "∞" || text === "–") return text === "∞" ? Infinity : -Infinity;
    return parseFloat(text.replace("−", "-"));
  };
  const body = document.querySelector("tbody"), rows = [...body.rows];
  const keys = new Map(rows.map(row => [row, value(row)]));
  rows.sort((a, b) => {
    const x = keys.get(a), y = keys.get(b);
    return sign * (x < y ? -1 : x > y ? 1 : 0);
  });
  body.append(...rows);
};
