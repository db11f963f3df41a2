/** P9, P10: the verbs that an operator types, beside a history of few merges. */
import { interleave, sampleOf } from "../figures.ts";
import { besideNode } from "../finding.ts";
import { seedUnanalysed } from "../history.ts";
import { nodeStart, verbProcess } from "../processes.ts";
import { record } from "../product.ts";
import { expectSeq, type SizedRun } from "../run.ts";
import { longestTransaction } from "./restart.ts";

const FEW = 300;
/** From here on the goals of verbs that read the whole log hold. */
const LARGE = 100_000;
const WHOLE_LOG = [
  ["verify", "--json"],
  ["simulate", "--verdicts", "rebase_conflict", "--json"],
];

export async function snapshot({ entry, database, repeat, find, recorded }: SizedRun): Promise<void> {
  const ms = await interleave(repeat, {
    started: async () => {
      const { ms: took, stdout } = await verbProcess(entry, database.daemonUrl, ["snapshot", "--json"]);
      expectSeq((JSON.parse(stdout) as { as_of: { seq: number } }).as_of.seq, recorded);
      return took;
    },
    node: nodeStart,
  });
  find(besideNode("P9", "`metrics snapshot` from the shell", ms, 3.5));
}

export async function readingVerbs(run: SizedRun): Promise<void> {
  const { server, entry, database, repeat, find, recorded } = run;
  await using few = await server.database("few");
  await seedUnanalysed(few, FEW);
  {
    await using recording = await record(few.daemonUrl);
    await recording.poll();
  }
  for (const verb of [["snapshot"], ["explain"], ["history"]]) {
    const took = (url: string) => async () => (await verbProcess(entry, url, verb)).ms;
    const ms = await interleave(repeat, { many: took(database.daemonUrl), few: took(few.daemonUrl) });
    find({
      id: "P10",
      what: `\`metrics ${verb[0]}\``,
      unit: "ms",
      value: sampleOf(ms.many),
      floor: { what: `over ${FEW} merges`, sample: sampleOf(ms.few) },
      goal: { of: "ratio", is: "at most", bound: 1.5 },
    });
  }
  for (const verb of WHOLE_LOG) {
    const [name] = verb;
    const running = verbProcess(entry, database.daemonUrl, verb);
    const longest = await longestTransaction(database, running);
    const { ms, peakMb } = await running;
    const figure = (what: string, unit: string, value: number, is: "at least" | "at most", bound: number) =>
      find({
        id: "P10",
        what: `\`metrics ${name}\`${what}`,
        unit,
        value: sampleOf([value]),
        floor: null,
        goal: recorded >= LARGE ? { of: "value", is, bound } : null,
      });
    figure("", "merges/s", recorded / (ms / 1_000), "at least", 30_000);
    figure(", memory", "MB", peakMb, "at most", 300);
    figure(", longest transaction", "ms", longest, "at most", 1_000);
  }
}
