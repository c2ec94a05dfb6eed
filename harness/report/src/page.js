"use strict";
(() => {
  const value = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const compare = (one, other) =>
    typeof one === "number" && typeof other === "number"
      ? one - other
      : String(one).localeCompare(String(other), "en", { numeric: true });
  const sort = (table, at) => {
    const heads = [...table.tHead.rows[0].cells];
    const head = heads[at];
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const numbers = rows.some((row) => row.cells[at].dataset.v !== undefined);
    const now = head.getAttribute("aria-sort");
    const falls = now === null ? numbers : now === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    rows.sort((one, other) => {
      const order = compare(value(one, at), value(other, at));
      return falls ? -order : order;
    });
    body.append(...rows);
  };
  for (const table of document.querySelectorAll("table.sorts")) {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, at));
      head.replaceChildren(button);
    });
  }
  for (const tools of document.querySelectorAll(".tools")) {
    const section = tools.closest("section");
    const input = tools.querySelector("input");
    const output = tools.querySelector("output");
    const rows = [...section.querySelectorAll("table.sorts tbody tr")];
    const folded = section.querySelector("details.never");
    const items = folded ? [...folded.querySelectorAll("li")] : [];
    const filter = () => {
      const words = input.value.trim().toLowerCase();
      const fits = (element, text) => {
        element.hidden = !text.toLowerCase().includes(words);
        return !element.hidden;
      };
      const first = (row) => [...row.cells].slice(0, Number(tools.dataset.columns));
      const text = (row) => first(row).map((cell) => cell.textContent).join(" ");
      const shown = rows.filter((row) => fits(row, text(row)));
      const more = items.filter((item) => fits(item, item.textContent));
      if (folded) folded.open = words !== "" && more.length > 0;
      const others = more.length > 0 ? `, ${more.length} without exits` : "";
      output.textContent = words === "" ? "" : `${shown.length} of ${rows.length} ${tools.dataset.noun}${others}`;
    };
    input.addEventListener("input", filter);
    tools.hidden = false;
  }
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
})();
