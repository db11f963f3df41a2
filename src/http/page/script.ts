/**
 * The refresher: it fetches the page again and replaces the sections that changed, so that nothing flickers, and focus,
 * folds and scroll positions stay. Without scripts the browser reloads the page instead.
 */
export const REFRESH_SECONDS = 5;

export const REFRESHER = `
const unreachable = document.getElementById("unreachable");
const refresh = async () => {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    const next = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!next.getElementById("state")) throw new Error();
    const shown = [...document.querySelectorAll("main > section")];
    const sections = shown.map((old) => next.getElementById(old.id));
    if (sections.includes(null) || next.querySelectorAll("main > section").length !== shown.length) {
      location.reload();
      return;
    }
    for (const [index, old] of shown.entries()) {
      const now = sections[index];
      for (const fold of old.querySelectorAll("details[open]")) now.querySelector("#" + fold.id)?.setAttribute("open", "");
      if (now.outerHTML === old.outerHTML) continue;
      const places = [...old.querySelectorAll(".scroll")].map((place) => place.scrollLeft);
      const kept = [...old.querySelectorAll("summary, .scroll")].indexOf(document.activeElement);
      old.replaceWith(now);
      now.querySelectorAll(".scroll").forEach((place, at) => { place.scrollLeft = places[at] ?? 0; });
      if (kept >= 0) [...now.querySelectorAll("summary, .scroll")][kept]?.focus({ preventScroll: true });
    }
    document.title = next.title;
    unreachable.hidden = true;
  } catch {
    if (unreachable.hidden) unreachable.textContent = "No answer since " + new Date().toISOString().slice(11, 19) + "Z. The page shows the values from before.";
    unreachable.hidden = false;
  }
};
setInterval(refresh, ${REFRESH_SECONDS * 1000});
`;
