/** The page's style: one column on a phone, more on a wide screen, light or dark as the reader prefers. */
import { HISTORY_CSS } from "../../chart/svg-style.ts";

export const STYLE = `
:root{color-scheme:light dark;--ground:#f3f5f7;--card:#fff;--ink:#1f2328;--faint:#57606a;--line:#d0d7de;--link:#0550ae;--open:#116329;--open-ground:#dafbe1;--restricted:#8a2c02;--restricted-ground:#ffe7d6;--unknown:#424a53;--unknown-ground:#e6eaef;--conflict:#82071e;--conflict-ground:#ffd7d5;--between:#d0d7de}
@media (prefers-color-scheme:dark){:root{--ground:#0d1117;--card:#161b22;--ink:#e6edf3;--faint:#9aa4ae;--line:#30363d;--link:#79b8ff;--open:#7ee787;--open-ground:#12351f;--restricted:#ffb27a;--restricted-ground:#47240b;--unknown:#c9d1d9;--unknown-ground:#2d333b;--conflict:#ffb3ad;--conflict-ground:#561517;--between:#3d444d}}
html{overflow-anchor:none}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem clamp(.75rem,3vw,2rem) 2rem;max-width:100rem;background:var(--ground);color:var(--ink);font:15px/1.45 ui-sans-serif,system-ui,"Segoe UI",sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:1.1rem;margin:.1rem 0 .3rem;color:var(--faint)}
h2{font-size:1.05rem;margin:1.6rem 0 .6rem}
h3{font-size:.95rem;font-weight:600;margin:0;color:var(--faint)}
p{margin:.25rem 0}
a{color:var(--link)}
code{overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1rem;min-width:0}
.card > h2:first-child{margin-top:0}
#waiting{margin-top:.9rem}
.cards,.charts{display:grid;gap:.9rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
.cards{margin-top:.9rem;grid-template-columns:minmax(0,1fr)}
@media (min-width:46rem){.cards{grid-template-columns:1fr 1fr}.metric:not(.gated){grid-column:1/-1}}
@media (min-width:70rem){.cards{grid-template-columns:repeat(auto-fit,minmax(20rem,1fr))}.metric:not(.gated){grid-column:auto}}
.metric{container-type:inline-size;display:flex;flex-direction:column}
.metric h2{margin:0}
.metric > .wide,.metric > .narrow{margin-top:auto}
.decision{font-size:clamp(1.3rem,6.4cqi,1.75rem);line-height:1.25;font-weight:650;display:flex;flex-wrap:wrap;gap:.1rem .7rem;align-items:baseline}
.decision .since{font-size:1rem;font-weight:500}
.value{font-size:1.45rem;line-height:1.3;font-weight:650}
.value .what{font-size:1rem;font-weight:500;color:var(--faint)}
.metric h2.value{font-size:1.75rem}
.decision + .value{margin-top:.5rem}
.detail,.aside,.undefined,.legend{color:var(--faint)}
.aside{font-weight:400;font-size:.9em}
.moves{margin:.3rem 0;padding-left:1.1rem;font-size:.93em}
.bar{display:block;width:100%;max-width:30rem;height:auto;margin:.4rem 0 0;font-size:12px;overflow:visible}
.bar text{fill:var(--faint)}
.bar .permissive{fill:var(--open-ground);stroke:var(--open)}
.bar .restricted{fill:var(--restricted-ground);stroke:var(--restricted)}
.bar .between{fill:var(--between)}
.bar .needle{stroke:var(--ink);stroke-width:2;fill:var(--ink)}
.bar .now{fill:var(--ink);font-weight:650;font-size:13px}
.state{display:inline-block;padding:0 .5em;border-radius:1em;font-weight:650;font-size:.92em;white-space:nowrap;background:var(--unknown-ground);color:var(--unknown)}
.state.permissive{background:var(--open-ground);color:var(--open)}
.state.restricted{background:var(--restricted-ground);color:var(--restricted)}
.decision .state{white-space:normal;border-radius:.6em}
time{white-space:nowrap}
.obstacle{background:var(--restricted-ground);color:var(--restricted);border:1px solid currentColor;border-radius:.6rem;padding:.6rem 1rem;margin:.6rem 0}
.obstacle .undefined{color:inherit}
.remedy{overflow-wrap:anywhere}
.reasons{margin:.3rem 0;padding-left:1.2rem;font-size:.93em}
.outdated,.unreached{filter:grayscale(1)}
.outdated .card,.unreached .card{border-style:dashed;background:var(--ground)}
figure{margin:.5rem 0 0}
figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;min-height:1.45em;font-size:.87em;color:var(--faint)}
.read{color:var(--ink);overflow-wrap:anywhere;unicode-bidi:isolate}
.read:not(:empty) + .hint{display:none}
.cross{stroke:var(--chart-ink);stroke-width:1;pointer-events:none}
.history-chart{display:block;width:100%;height:auto;touch-action:pan-y}
.narrow{display:none}
@container (max-width:29rem){.narrow{display:block}.wide{display:none}}
.cells{display:flex;flex-wrap:wrap;gap:3px;list-style:none;margin:.6rem 0 0;padding:0}
.cell{position:relative;display:inline-grid;place-items:center;width:1.6rem;height:1.6rem;border-radius:.3rem;font-size:.82rem;font-weight:600;border:1px solid transparent}
.cell.first{background:var(--open-ground);color:var(--open)}
.cell.again{background:var(--restricted-ground);color:var(--restricted);border-color:currentColor}
.cell.conflict{background:var(--conflict-ground);color:var(--conflict);border:2px solid currentColor}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1rem;align-items:center}
.crossings{list-style:none;margin:0;padding:0}
.crossings li{padding:.3rem 0;border-top:1px solid var(--line)}
.crossings li:first-child{border-top:0}
.filter input{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--faint);border-radius:.4rem;padding:.2rem .5rem;max-width:100%}
table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .7rem;text-align:left;border-top:1px solid var(--line);font-weight:400}
thead th{border-top:0;color:var(--faint);font-size:.9em}
th:first-child,td:first-child{padding-left:0}
tbody th{font-weight:600}
tbody tr:not(.more){cursor:pointer}
tbody tr:not(.more):hover{background:var(--ground)}
.name{overflow-wrap:anywhere;unicode-bidi:isolate}
.window{font-size:.8rem;letter-spacing:1px;overflow-wrap:anywhere;line-height:1.2}
@media (max-width:40rem){
#project-list thead{position:absolute;clip-path:inset(50%)}
#project-list :is(table,tbody,tr,th,td){display:block}
#project-list caption{display:block}
#project-list tbody tr{border-top:1px solid var(--line);padding:.45rem 0}
#project-list tbody :is(th,td){border:0;padding:.08rem 0}
#project-list td[data-label]::before{content:attr(data-label) ": ";color:var(--faint);font-size:.9em}
}
summary{cursor:pointer;padding:.6rem 0 .2rem;color:var(--link)}
.fold{margin-top:.5rem}
.fold .charts{margin:.5rem 0;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr))}
footer{margin-top:2rem;color:var(--faint);font-size:.9rem}
footer a{margin-right:.8rem}
#unreachable{position:sticky;top:0;z-index:1;background:var(--restricted-ground);color:var(--restricted);padding:.4rem .8rem;border-radius:.4rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
${HISTORY_CSS}
`;
