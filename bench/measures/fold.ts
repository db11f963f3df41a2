/** P6: what a merge costs in memory and in the processor, without any database. */
import type { FoldFigures, ProjectsFigures } from "../child.ts";
import { sampleOf } from "../figures.ts";
import { inChild } from "../processes.ts";
import type { Run } from "../run.ts";

const FULL_WINDOW = "100";

export async function foldCost({ repeat, find, brief }: Run): Promise<void> {
  const speed: FoldFigures[] = [];
  for (let round = 0; round < repeat; round += 1) {
    speed.push(await inChild<FoldFigures>("fold", [brief ? "200000" : "2000000"]));
  }
  find({
    id: "P6",
    what: "fold: windows of a merge slid and read, 20 projects",
    unit: "ns",
    value: sampleOf(speed.map(({ slideNs }) => slideNs)),
    floor: null,
    goal: { of: "value", is: "at most", bound: 100 },
  });
  find({
    id: "P6",
    what: "fold and the rows that record it",
    unit: "ns",
    value: sampleOf(speed.map(({ foldNs }) => foldNs)),
    floor: null,
    goal: null,
  });
  const many = brief ? 10_000 : 100_000;
  const memory = await inChild<ProjectsFigures>("projects", [String(many), FULL_WINDOW], ["--expose-gc"]);
  find({
    id: "P6",
    what: "memory of a project, windows full",
    unit: "bytes",
    value: sampleOf([memory.bytesPerProject]),
    floor: null,
    goal: { of: "value", is: "at most", bound: 1_536 },
  });
  find({
    id: "P6",
    what: `memory of a process with ${many} projects, windows full`,
    unit: "MB",
    value: sampleOf([memory.rssMb]),
    floor: null,
    goal: { of: "value", is: "at most", bound: 300 },
  });
}
