/** The simulated server is held to a real one: the scripts of `reality.ts` run on both. */
import { expect, test } from "vitest";
import { createDatabase } from "../support/database.ts";
import { startServer } from "../support/server.ts";
import { FakeStage } from "./fake-stage.ts";
import { RealStage } from "./real-stage.ts";
import { played, SCRIPTS } from "./reality.ts";

const ALONE = SCRIPTS.filter(({ crashes }) => crashes !== true);
const CRASHING = SCRIPTS.filter(({ crashes }) => crashes === true);

test.for(ALONE)("$name", async (script) => {
  const { cache = 1, lines } = script;
  await using database = await createDatabase();
  await using real = await RealStage.on(database, cache);
  expect(await played(script, new FakeStage(cache))).toEqual(lines);
  expect(await played(script, real)).toEqual(lines);
});

test.for(CRASHING)("$name", async (script) => {
  const { cache = 1, lines } = script;
  await using server = await startServer();
  await using database = await createDatabase({ adminUrl: server.url() });
  const crash = (): Promise<void> => server.restart("immediate");
  await using real = await RealStage.on({ url: database.url, daemonUrl: database.daemonUrl, crash }, cache);
  expect(await played(script, new FakeStage(cache))).toEqual(lines);
  expect(await played(script, real)).toEqual(lines);
});
