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

function cell({ seq, project, attempts, first_pass, rebase_conflict, ...merge }: RecentMerge): Html {
  const kind = rebase_conflict ? "conflict" : first_pass ? "first" : "again";
  const shown = rebase_conflict ? "C" : attempts > 99 ? "+" : attempts;
  const what = `${rebase_conflict ? "rebase conflict, " : ""}${first_pass ? "first pass" : count(attempts, "attempt")}`;
  const says = `merge ${seq}, ${safe(project, 40)}: ${what}`;
  const verdict = merge.last_verdict === null ? "" : `, last verdict ${safe(merge.last_verdict, 40)}`;
  const when = merge.merged_at === null ? "" : `, ${merge.merged_at}`;
  return html`<li class="cell ${kind}" title="${says}${verdict}${when}"><span aria-hidden="true">${shown}</span><span class="unseen">${says}</span></li>`;
}
