// What the page does beyond being read: values of figures, order of tables, light or dark, where in the page one is.
// Without it everything is there and open to read. It asks nothing of the network and keeps nothing but the theme.
"use strict";

const THEME = "bayes-glmm theme";
const root = document.documentElement;

function remembered() {
  try { return localStorage.getItem(THEME); } catch { return null; }  // storage may be forbidden
}

function remember(theme) {
  try { localStorage.setItem(THEME, theme); } catch { /* then it holds for this visit */ }
}

if (["light", "dark"].includes(remembered())) root.dataset.theme = remembered();

function choosable(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const other = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
  const name = () => { button.textContent = other() === "dark" ? "Dark page" : "Light page"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = other();
    remember(root.dataset.theme);
    name();
  });
  system.addEventListener("change", name);
  name();
}

// One tip for all figures: beside the pointer, or beside the part that the arrow keys have come to.
function pointable(plots, tip) {
  let chosen = null;

  function hide() {
    chosen?.classList.remove("chosen");
    chosen = null;
    tip.textContent = "";  // empty it is not seen, but still there: only then do screen readers say what comes into it
  }

  function show(mark, x, y) {
    if (chosen !== mark) {
      hide();
      chosen = mark;
      mark.classList.add("chosen");
      tip.textContent = mark.note;
    }
    const room = 12, wide = tip.offsetWidth, tall = tip.offsetHeight;
    const left = x + room + wide > root.clientWidth ? x - room - wide : x + room;
    const top = y - room - tall < 0 ? y + room : y - room - tall;
    tip.style.left = `${Math.max(4, Math.min(left, root.clientWidth - wide - 4))}px`;
    tip.style.top = `${top}px`;
  }

  function step(plot, event) {
    const marks = plot.marks, at = marks.indexOf(chosen);
    const to = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at < 0 ? -1 : at - 1, ArrowUp: at < 0 ? -1 : at - 1,
      Home: 0, End: -1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const mark = marks.at(to % marks.length);
    mark.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
    const box = mark.getBoundingClientRect();
    show(mark, box.left + box.width / 2, box.top + Math.min(box.height / 2, 24));
  }

  for (const plot of plots) {
    plot.marks = [...plot.querySelectorAll(".mark")];
    if (!plot.marks.length) continue;
    for (const mark of plot.marks) {
      mark.note = mark.textContent;  // in place of the browser's own tip, which keys and fingers do not reach
      mark.replaceChildren();
    }
    plot.tabIndex = 0;
    plot.setAttribute("role", "application");
    plot.setAttribute("aria-label", "Values of the figure: arrow keys go through them");
    const point = (event) => {
      if (event.target.matches(".mark")) show(event.target, event.clientX, event.clientY);
      else hide();
    };
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
    plot.addEventListener("keydown", (event) => step(plot, event));
    plot.addEventListener("blur", hide);
  }
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".plot")) hide(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", () => { if (!chosen?.closest(".plot").matches(":focus")) hide(); }, { passive: true });
}

function sortable(table) {
  const body = table.tBodies[0], rows = [...body.rows];
  if (rows.length < 5) return;
  const value = (row, column) => row.cells[column].textContent.trim();
  const size = (text) => parseFloat(text.replaceAll("−", "-").replaceAll(",", "").replace("∞", "Infinity"));
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: null }[cell.ariaSort] ?? null;
      const order = cell.ariaSort === null ? "ascending" : next;
      for (const each of table.tHead.rows[0].cells) each.ariaSort = null;
      cell.ariaSort = order;
      const sign = order === "descending" ? -1 : 1;
      const sorted = order === null ? rows : [...rows].sort((a, b) => {
        const [first, second] = [value(a, column), value(b, column)];
        const difference = size(first) - size(second);
        return sign * (Number.isNaN(difference) ? first.localeCompare(second) : difference);
      });
      body.append(...sorted);
    });
  });
}

// Copies the text before the button, by the clipboard or, where a page may not use that, by a selection.
function copying(button) {
  const text = button.previousElementSibling;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

function followed(nav) {
  const links = new Map([...nav.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const sections = [...document.querySelectorAll("main > section")];
  const mark = () => {
    const current = sections.findLast((section) => section.getBoundingClientRect().top < innerHeight / 3) ?? sections[0];
    for (const [anchor, link] of links) {
      if ((link.ariaCurrent === "true") === (anchor === current.id)) continue;
      link.ariaCurrent = anchor === current.id ? "true" : null;
      if (link.ariaCurrent) nav.scrollTo({ left: link.offsetLeft - nav.offsetLeft - 60, behavior: "instant" });
    }
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
}

document.addEventListener("DOMContentLoaded", () => {
  choosable(document.getElementById("theme"));
  pointable(document.querySelectorAll(".plot"), document.getElementById("tip"));
  document.querySelectorAll("table").forEach(sortable);
  document.querySelectorAll(".copy").forEach(copying);
  followed(document.querySelector("nav"));
  for (const hint of document.querySelectorAll(".hint")) hint.hidden = false;
});
