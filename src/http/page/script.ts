/**
 * The page's script. It fetches the page again and replaces the parts that changed, so that focus, folds, scroll position
 * and opened projects stay. It shows times as ages, reads single merges from charts, opens a project below its row, and
 * filters while you type. Without scripts the browser reloads the page, and links and the form lead to other pages.
 */
export const REFRESH_SECONDS = 5;

export const SCRIPT = `
const query = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const unreachable = query("#unreachable");
let etag = "";
/** Milliseconds by which the server's clock is ahead of this one. */
let ahead = 0;

const span = (seconds) =>
  seconds < 120 ? Math.max(0, Math.floor(seconds)) + " s" :
  seconds < 7200 ? Math.floor(seconds / 60) + " min" :
  seconds < 172800 ? Math.floor(seconds / 3600) + " h" :
  Math.floor(seconds / 86400) + " d";
const showTimes = () => {
  const now = Date.now() + ahead;
  for (const time of all("time")) {
    const text = span((now - Date.parse(time.dateTime)) / 1000) + (time.className === "since" ? "" : " ago");
    if (time.textContent !== text) time.textContent = text;
  }
};

/** The rows of opened projects, by the addresses of their pages. */
const opened = new Map();
const showOpened = () => {
  const links = new Map(all("#project-list a.name").map((link) => [link.getAttribute("href"), link]));
  for (const address of opened.keys()) if (!links.has(address)) opened.delete(address);
  for (const [address, link] of links) {
    const row = opened.get(address);
    link.setAttribute("aria-expanded", String(row !== undefined));
    if (row && link.closest("tr").nextSibling !== row) link.closest("tr").after(row);
  }
};
const fill = async (address, row) => {
  const response = await fetch(address, { cache: "no-store" });
  const next = new DOMParser().parseFromString(await response.text(), "text/html");
  const project = query(".project", next) ?? query("main", next);
  const [cell] = row.cells;
  if (cell.innerHTML !== project.outerHTML) cell.replaceChildren(document.importNode(project, true));
  showTimes();
};
const toggle = (link) => {
  const address = link.getAttribute("href");
  const row = opened.get(address) ?? document.createElement("tr");
  if (opened.delete(address)) row.remove();
  else {
    row.className = "more";
    const cell = row.insertCell();
    cell.colSpan = link.closest("tr").cells.length;
    opened.set(address, row);
    fill(address, row).catch(() => { cell.textContent = "No answer."; });
    refresh();
  }
  showOpened();
};
document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.target.closest("a:not(.name)")) return;
  const row = event.target.closest("#project-list tbody tr:not(.more)");
  if (!row || String(getSelection())) return;
  event.preventDefault();
  toggle(query("a.name", row));
});

/** The part that you look at keeps its place on the screen if parts above it grow. */
const topOf = (id) => document.getElementById(id)?.getBoundingClientRect().top ?? 0;
const looksAt = () => {
  const seen = all(".part").filter((part) => { const { top, bottom } = part.getBoundingClientRect(); return bottom > 0 && top < innerHeight; });
  return (seen.find((part) => part.contains(document.activeElement)) ?? seen.find((part) => part.getBoundingClientRect().top >= 0) ?? seen[0])?.id ?? "state";
};
/** Replaces the parts that changed. */
const take = (next) => {
  const id = looksAt();
  const top = topOf(id);
  exchange(next);
  showOpened();
  showTimes();
  document.title = next.title;
  query("link[rel=icon]").href = query("link[rel=icon]", next).href;
  scrollBy({ top: topOf(id) - top, behavior: "instant" });
};
const exchange = (next) => {
  const parts = all(".part");
  const now = parts.map((old) => next.getElementById(old.id));
  if (now.includes(null) || all(".part", next).length !== parts.length) {
    query("main").replaceWith(query("main", next));
    return;
  }
  query("#values").className = query("#values", next).className;
  for (const [index, old] of parts.entries()) {
    const part = now[index];
    if (part.outerHTML === original.get(old)) continue;
    original.set(part, part.outerHTML);
    for (const fold of all("details[open]", old)) query("#" + fold.id, part)?.setAttribute("open", "");
    const focusable = "a, summary, figure";
    const focused = all(focusable, old).indexOf(document.activeElement);
    const address = document.activeElement?.getAttribute?.("href");
    old.replaceWith(part);
    if (focused < 0) continue;
    const places = all(focusable, part);
    const same = places.find((place) => address && place.getAttribute("href") === address);
    (same ?? places[focused])?.focus({ preventScroll: true });
  }
};
const original = new WeakMap(all(".part").map((part) => [part, part.outerHTML]));

let latest = 0;
const refresh = async () => {
  if (document.hidden || !query("#values")) return;
  latest += 1;
  const mine = latest;
  try {
    const response = await fetch(location.href, { cache: "no-store", headers: etag ? { "if-none-match": etag } : {} });
    const date = Date.parse(response.headers.get("date") ?? "");
    if (Math.abs(date - Date.now() - ahead) > 2000) ahead = date - Date.now();
    if (response.status !== 304) {
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!next.getElementById("state")) throw new Error();
      if (mine !== latest) return;
      take(next);
      etag = response.headers.get("etag") ?? "";
      for (const [address, row] of opened) fill(address, row).catch(() => undefined);
    }
    unreachable.hidden = true;
    query("#values").classList.remove("unreached");
  } catch {
    if (unreachable.hidden) unreachable.textContent = "No answer from the daemon since " + new Date().toISOString().slice(11, 19) + "Z. The page shows the last known values.";
    unreachable.hidden = false;
    query("#values").classList.add("unreached");
  }
  showTimes();
};

let typing = 0;
document.addEventListener("input", (event) => {
  if (event.target.name !== "filter") return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const address = new URL(location.href);
    address.search = event.target.value === "" ? "" : "?" + new URLSearchParams({ filter: event.target.value });
    history.replaceState(null, "", address);
    refresh();
  }, 150);
});
document.addEventListener("submit", (event) => event.preventDefault());

/** The crosshair marks the merge nearest to the pointer. */
const SVG = "http://www.w3.org/2000/svg";
const read = (figure, seq) => {
  const svg = query("svg", figure);
  const [left, right, top, bottom, first, last, low, high] = svg.dataset.plot.split(" ").map(Number);
  const values = figure.dataset.values.split(",");
  const index = Math.max(0, Math.min(values.length - 1, Math.round(seq) - first));
  const [at, mergedAt, project] = JSON.parse(figure.closest("[data-merges]").dataset.merges).find(([one]) => one === first + index) ?? [first + index, null, null];
  const x = left + ((at - first) / (last - first)) * (right - left);
  const cross = query(".cross", svg) ?? svg.appendChild(document.createElementNS(SVG, "path"));
  const value = values[index] === "" ? null : Number(values[index]);
  const y = value === null ? null : bottom - ((value - low) / (high - low)) * (bottom - top);
  cross.setAttribute("class", "cross");
  cross.setAttribute("d", "M" + x + "," + top + "V" + bottom + (y === null ? "" : "M" + (x - 4) + "," + y + "h8"));
  figure.dataset.at = at;
  const shown = value === null ? "undefined" : figure.dataset.ratio === "true" ? Number((value * 100).toPrecision(6)) + "%" : String(value);
  query(".read", figure).textContent = [shown, "merge " + at, ...(mergedAt ? [mergedAt.slice(0, 16).replace("T", " ") + "Z"] : []), ...(project ? [project] : [])].join(" · ");
};
const leave = (figure) => {
  query(".cross", figure)?.remove();
  query(".read", figure).textContent = "";
  delete figure.dataset.at;
};
document.addEventListener("pointermove", (event) => {
  const figure = event.target.closest?.("figure[data-values]");
  for (const other of all("figure[data-at]")) if (other !== figure && other !== document.activeElement) leave(other);
  if (!figure) return;
  const svg = query("svg", figure);
  const box = svg.getBoundingClientRect();
  const [left, right, , , first, last] = svg.dataset.plot.split(" ").map(Number);
  const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
  read(figure, first + ((x - left) / (right - left)) * (last - first));
});
document.addEventListener("keydown", (event) => {
  const figure = event.target.closest?.("figure[data-values]");
  const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  if (!figure || !(event.key in steps)) return;
  event.preventDefault();
  const [, , , , first, last] = query("svg", figure).dataset.plot.split(" ").map(Number);
  const from = figure.dataset.at === undefined ? last : Number(figure.dataset.at);
  read(figure, Math.max(first, Math.min(last, from + steps[event.key])));
});
document.addEventListener("focusout", (event) => {
  if (event.target.matches?.("figure[data-at]")) leave(event.target);
});

showOpened();
showTimes();
setInterval(refresh, ${REFRESH_SECONDS * 1000});
setInterval(showTimes, 1000);
`;
