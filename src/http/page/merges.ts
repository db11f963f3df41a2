/** The last merges as cells: a colour, and a character that says the same. */
import type { RecentHistory, RecentMerge } from "../../core/status-history.ts";
import { count } from "../../text/figures.ts";
import { safe } from "../../text/safe.ts";
import { oncePer } from "../once-per.ts";
import { type Html, html } from "./html.ts";

const SHOWN = 100;

export const merges = oncePer((history: RecentHistory): Html => {
  const last = history.merges.slice(-SHOWN);
  return html`<section id="merges" class="part" aria-labelledby="merges-title"><h2 id="merges-title">Last ${count(last.length, "merge")}</h2>
<div class="card"><p class="legend"><span><span class="cell first">1</span> first pass</span>
<span><span class="cell again">2</span> number of attempts</span>
<span><span class="cell conflict">C</span> rebase conflict</span>
<span class="aside">newest last</span></p>
<ol class="cells">${last.map(cell)}</ol></div></section>`;
});

function cell(merge: RecentMerge): Html {
  const {
    seq,
    project,
    attempts,
    last_verdict: verdict,
    merged_at: mergedAt,
    first_pass,
    rebase_conflict,
  } = merge;
  const kind = rebase_conflict ? "conflict" : first_pass ? "first" : "again";
  const shown = rebase_conflict ? "C" : attempts > 99 ? "+" : attempts;
  const what = `${rebase_conflict ? "rebase conflict, " : ""}${first_pass ? "first pass" : count(attempts, "attempt")}`;
  const says = `merge ${seq}, ${safe(project, 40)}: ${what}`;
  const when = mergedAt === null ? "" : `, ${mergedAt}`;
  const verdictText = verdict === null ? "" : `, last verdict ${safe(verdict, 40)}`;
  return html`<li class="cell ${kind}" title="${says}${verdictText}${when}"><span aria-hidden="true">${shown}</span><span class="unseen">${says}</span></li>`;
}
