/** The page's style: one column on a phone, three on a wide screen, light or dark as the reader prefers. */
import { HISTORY_CSS } from "../../chart/svg-style.ts";

export const STYLE = `
:root{color-scheme:light dark;--ground:#f3f5f7;--card:#fff;--ink:#1f2328;--faint:#57606a;--line:#d0d7de;--link:#0550ae;--open:#116329;--open-ground:#dafbe1;--restricted:#8a2c02;--restricted-ground:#ffe7d6;--unknown:#424a53;--unknown-ground:#e6eaef;--conflict:#82071e;--conflict-ground:#ffd7d5}
@media (prefers-color-scheme:dark){:root{--ground:#0d1117;--card:#161b22;--ink:#e6edf3;--faint:#9aa4ae;--line:#30363d;--link:#79b8ff;--open:#7ee787;--open-ground:#12351f;--restricted:#ffb27a;--restricted-ground:#47240b;--unknown:#c9d1d9;--unknown-ground:#2d333b;--conflict:#ffb3ad;--conflict-ground:#561517}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem clamp(.75rem,3vw,2rem) 2rem;max-width:100rem;background:var(--ground);color:var(--ink);font:15px/1.45 ui-sans-serif,system-ui,"Segoe UI",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:1.35rem;margin:.2rem 0 .4rem}
h2{font-size:1.05rem;margin:1.6rem 0 .6rem}
h3{font-size:.95rem;font-weight:600;margin:0;color:var(--faint)}
p{margin:.25rem 0}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1rem;min-width:0}
.tiles,.charts{display:grid;gap:.9rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr))}
.charts{align-items:start;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr))}
.value{font-size:2.3rem;line-height:1.15;font-weight:650;margin:.15rem 0}
.detail,.aside,.undefined,.legend{color:var(--faint)}
.value .undefined{font-size:1.5rem;font-weight:500}
.aside{font-weight:400;font-size:.9em}
.gate{margin-top:.5rem}
meter{width:100%;height:.55rem;margin:.2rem 0}
.state{display:inline-block;padding:0 .5em;border-radius:1em;font-weight:650;font-size:.92em;white-space:nowrap;background:var(--unknown-ground);color:var(--unknown)}
.state.open{background:var(--open-ground);color:var(--open)}
.state.restricted{background:var(--restricted-ground);color:var(--restricted)}
time,.since{white-space:nowrap}
.reasons{margin:.3rem 0;padding-left:1.2rem}
.history-chart{display:block;width:100%;max-width:40rem;height:auto;margin:.4rem auto 0}
.narrow{display:none}
@media (max-width:34rem){.narrow{display:block}.wide{display:none}}
.cells{display:flex;flex-wrap:wrap;gap:3px;list-style:none;margin:.6rem 0 0;padding:0}
.cell{display:inline-grid;place-items:center;width:1.6rem;height:1.6rem;border-radius:.3rem;font-size:.82rem;font-weight:600;border:1px solid transparent}
.cell.first{background:var(--open-ground);color:var(--open)}
.cell.again{background:var(--restricted-ground);color:var(--restricted);border-color:currentColor}
.cell.conflict{background:var(--conflict-ground);color:var(--conflict);border:2px solid currentColor}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1rem;align-items:center}
.crossings{list-style:none;margin:0;padding:0}
.crossings li{padding:.3rem 0;border-top:1px solid var(--line)}
.crossings li:first-child{border-top:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .7rem;text-align:right;border-top:1px solid var(--line);white-space:nowrap;font-weight:400}
thead th{border-top:0;color:var(--faint);font-size:.9em}
th:first-child{text-align:left;padding-left:0;position:sticky;left:0;background:var(--card) padding-box}
tbody th{font-weight:600}
.name{overflow-wrap:anywhere;unicode-bidi:isolate}
th.name{white-space:normal;min-width:6.5rem;max-width:24rem}
summary{cursor:pointer;padding:.6rem 0 .2rem;color:var(--link)}
.fold{margin-top:.5rem}
.fold .charts{margin:.5rem 0;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr))}
footer{margin-top:2rem;color:var(--faint);font-size:.9rem}
footer a{margin-right:.8rem}
#unreachable{position:sticky;top:0;background:var(--restricted-ground);color:var(--restricted);padding:.4rem .8rem;border-radius:.4rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.cell{position:relative}
${HISTORY_CSS}
`;
