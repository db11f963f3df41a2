/** history, explain and simulate on a real log: what they say agrees with what is recorded. */
import { beforeAll, describe, expect, it } from "vitest";
import { type DocumentName, SCHEMAS } from "../../contracts/json-schema.ts";
import { readExplanations } from "../../src/cli/read-explanation.ts";
import { readHistory } from "../../src/cli/read-history.ts";
import { readSimulation } from "../../src/cli/read-simulation.ts";
import { readSnapshot } from "../../src/cli/read-snapshot.ts";
import { readVerification } from "../../src/cli/read-verification.ts";
import type { Config } from "../../src/config.ts";
import type { MetricName } from "../../src/core/metric.ts";
import { configOf, startDaemon } from "../support/daemon.ts";
import { createDatabase } from "../support/database.ts";
import { event, eventful, merges } from "../support/orchestrator.ts";
import { sharedDatabase } from "../support/shared-database.ts";

const HISTORY = eventful();

const database = sharedDatabase();
let config: Config;

beforeAll(async () => {
  config = configOf(database.daemonUrl);
  await merges(database.admin, HISTORY);
  await using daemon = startDaemon(database);
  await daemon.converged();
  await daemon.stop();
  // An unmarked row is not in the way.
  await event(database.admin, { kind: "metric.cpu", payload: '{"value": 1}' });
});

const asked = { timeoutMs: 10_000, metric: null, projects: [], progress: () => undefined };

/** Value and state of every row of a series, straight from the log. */
async function recorded(metric: MetricName, project: string | null) {
  const { rows } = await database.admin.query<{ seq: string; value: number | null; state: string | null }>(
    `SELECT payload->>'seq' AS seq, (payload->>'value')::float8 AS value, payload->>'state' AS state FROM events_outbox
      WHERE kind = $1 AND payload->>'project' IS NOT DISTINCT FROM $2 ORDER BY id`,
    [`metric.${metric}`, project],
  );
  return rows.map(({ seq, value, state }) => ({ seq: Number(seq), value, state }));
}

describe("history", () => {
  it("is what is recorded, oldest first, crossings included", async () => {
    const { series, as_of: asOf } = await readHistory(config, { ...asked, last: 1000 });
    expect(asOf.seq).toBe(HISTORY.length);
    expect(series.map(({ metric }) => metric)).toStrictEqual(config.metrics.map(({ name }) => name));
    for (const { metric, points } of series)
      expect(points.map(({ seq, value, state }) => ({ seq, value, state }))).toStrictEqual(
        await recorded(metric, null),
      );
    const { rows } = await database.admin.query<{ n: string }>(
      "SELECT count(*)::text AS n FROM events_outbox WHERE kind = 'metric.threshold_crossed' AND payload->>'scope' = 'global'",
    );
    const crossings = series.flatMap(({ points }) => points.filter(({ crossing }) => crossing !== null));
    expect(crossings).toHaveLength(Number(rows[0]?.n));
    expect(crossings[0]?.crossing).toMatchObject({ gate: "trust", from: "unknown", to: "high", upper: 0.85 });
  });

  it("of a project is what is recorded, else what its merges give", async () => {
    const { series } = await readHistory(config, { ...asked, projects: ["zeus"], last: 40 });
    expect(series.map(({ source, points }) => [source, points.length])).toStrictEqual([
      ["computed", 40],
      ["recorded", 40],
      ["computed", 40],
    ]);
    const due = (await recorded("rebase_conflict_rate", "zeus")).slice(-40);
    expect(series[1]?.points.map(({ seq, value, state }) => ({ seq, value, state }))).toStrictEqual(due);
    const snapshot = await readSnapshot(config, { timeoutMs: 10_000 });
    const now = snapshot.metrics.find(
      ({ metric, project }) => project === "zeus" && metric === "first_pass_merge_rate",
    );
    expect(series[0]?.points.at(-1)).toMatchObject({ value: now?.value, n: now?.n, seq: 58 });
  });

  it("reports progress from 0 to 1 once, for any number of series", async () => {
    const shares: number[] = [];
    await readHistory(config, { ...asked, last: 1000, progress: (share) => shares.push(share) });
    expect(shares).toStrictEqual(shares.toSorted((a, b) => a - b));
    expect(shares.at(-1)).toBeLessThanOrEqual(1);
  });

  it("of an unknown project is empty", async () => {
    const { series } = await readHistory(config, { ...asked, projects: ["nobody"], last: 40 });
    expect(series.flatMap(({ points }) => points)).toStrictEqual([]);
  });
});

describe("explain", () => {
  it("names the merges of each window", async () => {
    const { explanations } = await readExplanations(config, asked);
    const [first, rebase] = explanations;
    expect(first?.merges.map(({ seq }) => seq)).toStrictEqual(
      Array.from({ length: 50 }, (_, index) => 183 + index),
    );
    expect(first?.merges.filter(({ counted }) => counted === true)).toHaveLength(first?.numerator ?? -1);
    expect(rebase?.merges.filter(({ counted }) => counted === true)).toHaveLength(rebase?.numerator ?? -1);
    expect(rebase?.leaves_next).toMatchObject({ seq: 133, event_id: "133", project: "atlas" });
  });

  it("of a project has its own merges", async () => {
    const { explanations } = await readExplanations(config, { ...asked, projects: ["zeus"] });
    for (const { merges: shown, n } of explanations) {
      expect(shown).toHaveLength(n);
      expect(new Set(shown.map(({ project }) => project))).toStrictEqual(new Set(["zeus"]));
    }
  });
});

describe("simulate", () => {
  it("agrees with the record under today's settings, and differs under others", async () => {
    const metrics = config.metrics.map((metric) => ({ ...metric, window: 10 }));
    const { document } = await readSimulation(config, { ...asked, metrics, last: 100, projects: ["zeus"] });
    expect(document.as_of.seq).toBe(HISTORY.length);
    for (const { today } of document.lines) expect(today?.agreement.equal).toBe(today?.agreement.compared);
    const trust = document.lines[0];
    expect(trust).toMatchObject({
      metric: "first_pass_merge_rate",
      simulated: { window: 10, merges: { unknown: 9 } },
    });
    expect(trust?.simulated?.agreement.equal).toBeLessThan(trust?.simulated?.agreement.compared ?? 0);
    expect(
      document.crossings.filter(
        ({ under, metric }) => under === "today" && metric === "first_pass_merge_rate",
      ),
    ).toHaveLength(3);
  });
});

/** Each document that a verb prints as JSON, by the name of its contract. */
async function documents(of: Config) {
  const looked = { ...asked, metrics: of.metrics, last: 1000, projects: ["zeus"] };
  return {
    snapshot: await readSnapshot(of, asked),
    history: await readHistory(of, looked),
    explanation: await readExplanations(of, looked),
    verification: await readVerification(of, { ...asked, limit: 20 }),
    simulation: (await readSimulation(of, looked)).document,
  };
}

it("each document fits its contract, of a full log and of an empty one", async () => {
  await using empty = await createDatabase();
  for (const of of [config, configOf(empty.daemonUrl)]) {
    for (const [name, document] of Object.entries(await documents(of)))
      expect([name, SCHEMAS[name as DocumentName].safeParse(document).error?.issues ?? []]).toStrictEqual([
        name,
        [],
      ]);
  }
});

it("an empty log is not a failure", async () => {
  await using empty = await createDatabase();
  const nothing = configOf(empty.daemonUrl);
  expect(await readHistory(nothing, { ...asked, last: 5 })).toMatchObject({
    as_of: { seq: 0, event_id: null },
  });
  expect((await readExplanations(nothing, asked)).explanations[0]).toMatchObject({
    n: 0,
    merges: [],
    leaves_next: null,
  });
  const { metrics } = nothing;
  expect((await readSimulation(nothing, { ...asked, metrics, last: 5 })).document).toMatchObject({
    as_of: { seq: 0 },
    lines: [],
  });
});

it("an unavailable database exits with 3", async () => {
  const unavailable = configOf("postgres://u:p@127.0.0.1:1/d");
  for (const look of [readHistory(unavailable, { ...asked, last: 5 }), readExplanations(unavailable, asked)])
    await expect(look).rejects.toMatchObject({ exitCode: 3 });
});

it("a table that another session has locked is reported as such", async () => {
  const holder = await database.admin.connect();
  try {
    await holder.query("BEGIN; LOCK TABLE events_outbox");
    await expect(readSnapshot(config, { timeoutMs: 500 })).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("another session holds a lock on a table"),
    });
  } finally {
    await holder.query("ROLLBACK");
    holder.release();
  }
});
