/** The scripts of `reality.ts` on a PostgreSQL server. */
import pg from "pg";
import type { OutboxLog } from "../../src/outbox/outbox-log.ts";
import { openLog } from "../../src/postgres/open-log.ts";
import { configOf } from "../support/daemon.ts";
import { until } from "../support/until.ts";
import { fenceAnswer, logAnswer } from "./log-answers.ts";
import type { Line, Stage } from "./reality.ts";

const PATIENCE_MS = 30_000;
/** Any key that all sessions of a script share. */
const LOCK = "pg_advisory_xact_lock(17)";
const PREPARED = "a script's";
const ROWS = "SELECT string_agg(id::text, ' ' ORDER BY id) AS answer FROM events_outbox";
/** As the daemon asks for them, see `src/postgres/settled.ts`. */
const HOLDERS = `
  SELECT DISTINCT virtualtransaction AS name, pid FROM pg_locks
   WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND relation IN ('events_outbox'::regclass, 'events_outbox_id_seq'::regclass)`;

type Waiting = { settled: boolean; answer: string };

export type Database = {
  readonly url: string;
  readonly daemonUrl: string;
  /** Crashes the server and starts it again. */
  readonly crash?: () => Promise<void>;
};

export class RealStage implements Stage, AsyncDisposable {
  readonly #database: Database;
  #watch: pg.Client;
  readonly #clients = new Map<string, pg.Client>();
  readonly #logs = new Map<string, OutboxLog>();
  readonly #waiting = new Map<string, Waiting>();
  /** Sessions by the names of their transactions. */
  readonly #letters = new Map<string, string>();
  readonly #stop = new AbortController();

  private constructor(database: Database, watch: pg.Client) {
    this.#database = database;
    this.#watch = watch;
  }

  /** On a database with the orchestrator's tables and no rows. */
  static async on(database: Database, cache: number): Promise<RealStage> {
    const watch = await connected(database.url);
    await watch.query(`
      INSERT INTO work_items (id, project, attempts, last_verdict) SELECT n, 'a', 1, 'approve' FROM generate_series(1, 4) n;
      ALTER TABLE events_outbox ADD FOREIGN KEY (work_item_id) REFERENCES work_items ON DELETE SET NULL;
      ALTER SEQUENCE events_outbox_id_seq CACHE ${cache}`);
    return new RealStage(database, watch);
  }

  async run(line: Line): Promise<string> {
    const { session, command } = line;
    try {
      const answer =
        "DE".includes(session) && command !== "holders"
          ? await this.#ofLog(session, line)
          : await this.#ofClient(await this.#client(session), line);
      if (command !== "crash") await this.#learnNames();
      return answer;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code !== undefined) return error.code;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const log of this.#logs.values()) log.destroy();
    for (const client of [...this.#clients.values(), this.#watch]) await client.end().catch(() => undefined);
  }

  async #ofClient(client: pg.Client, { session, command, argument }: Line): Promise<string> {
    switch (command) {
      case "begin":
        return this.#done(client, "BEGIN ISOLATION LEVEL READ COMMITTED");
      case "begin repeatable read":
        return this.#done(client, "BEGIN ISOLATION LEVEL REPEATABLE READ");
      case "rows":
        return this.#asked(client, ROWS);
      case "items":
        return this.#asked(
          client,
          "SELECT string_agg(id || ':' || coalesce(work_item_id::text, 'none'), ' ' ORDER BY id) AS answer FROM events_outbox",
        );
      case "drawn":
        return this.#asked(
          client,
          "SELECT last_value - (NOT is_called)::int AS answer FROM events_outbox_id_seq",
        );
      case "holders": {
        const { rows } = await client.query<{ name: string }>(HOLDERS);
        return this.#lettersOf(rows.map(({ name }) => name));
      }
      case "insert":
        return this.#asked(client, `${insert(argument)} RETURNING id AS answer`);
      case "strange":
        return this.#asked(
          client,
          "INSERT INTO events_outbox (kind) VALUES ('metric.unmarked') RETURNING id AS answer",
        );
      case "nextval":
        return this.#asked(client, "SELECT nextval('events_outbox_id_seq') AS answer");
      case "insert drawn":
        return this.#done(client, insert(argument, "currval('events_outbox_id_seq')"));
      case "insert by hand":
        return this.#done(client, insert("1", argument));
      case "delete":
        return this.#done(client, `DELETE FROM work_items WHERE id = ${argument}`);
      case "savepoint":
        return this.#done(client, "SAVEPOINT one");
      case "rollback to savepoint":
        return this.#done(client, "ROLLBACK TO SAVEPOINT one");
      case "commit":
        return (await client.query("COMMIT")).command;
      case "rollback":
        return this.#done(client, "ROLLBACK");
      case "prepare":
        return this.#done(client, `PREPARE TRANSACTION ${pg.escapeLiteral(PREPARED)}`);
      case "commit prepared":
        return this.#done(client, `COMMIT PREPARED ${pg.escapeLiteral(PREPARED)}`);
      case "rollback prepared":
        return this.#done(client, `ROLLBACK PREPARED ${pg.escapeLiteral(PREPARED)}`);
      case "lock":
        return this.#locks(session, () => this.#asked(client, `SELECT 'granted' AS answer FROM ${LOCK}`));
      case "lock and rows":
        return this.#locks(session, () => this.#asked(client, `SELECT (${ROWS}) AS answer FROM ${LOCK}`));
      case "lock soon":
        await client.query("SET LOCAL lock_timeout = 1");
        return this.#asked(client, `SELECT 'granted' AS answer FROM ${LOCK}`);
      case "granted?":
        return this.#granted(session);
      case "discard":
        return this.#done(client, "DISCARD SEQUENCES");
      case "truncate soon":
        await client.query("SET lock_timeout = 1");
        return this.#done(client, "TRUNCATE events_outbox RESTART IDENTITY");
      case "end":
        this.#clients.delete(session);
        await client.end();
        return "";
      case "crash":
        await this.#crash();
        return "";
      default:
        throw new Error(`no command: ${command}`);
    }
  }

  async #client(session: string): Promise<pg.Client> {
    let client = this.#clients.get(session);
    if (client === undefined) {
      client = await connected(this.#database.url);
      this.#clients.set(session, client);
    }
    return client;
  }

  async #done(client: pg.Client, statement: string): Promise<string> {
    await client.query(statement);
    return "";
  }

  async #asked(client: pg.Client, statement: string): Promise<string> {
    const { rows } = await client.query<{ answer: string | number | null }>(statement);
    return String(rows[0]?.answer ?? "none");
  }

  /** Asks for the lock, and waits until it is granted or the session waits for it. */
  async #locks(session: string, ask: () => Promise<string>): Promise<string> {
    const waiting: Waiting = { settled: false, answer: "" };
    this.#waiting.set(session, waiting);
    const before = await this.#waiters();
    ask().then(
      (answer) => Object.assign(waiting, { settled: true, answer }),
      (error: unknown) => Object.assign(waiting, { settled: true, answer: String(error) }),
    );
    await until(
      "the lock is granted or waited for",
      async () => waiting.settled || (await this.#waiters()) > before,
    );
    return waiting.settled ? waiting.answer : "waits";
  }

  async #granted(session: string): Promise<string> {
    const waiting = this.#waiting.get(session);
    if (waiting === undefined) throw new Error(`${session} has not asked for the lock`);
    // Fewer sessions wait than are expected to: an answer is on its way.
    const others = [...this.#waiting.values()].filter((one) => !one.settled).length;
    await until(
      "the lock is granted or waited for",
      async () => waiting.settled || (await this.#waiters()) === others,
    );
    return waiting.settled ? waiting.answer : "waits";
  }

  async #waiters(): Promise<number> {
    const { rows } = await this.#watch.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows[0]?.waiting ?? 0;
  }

  async #crash(): Promise<void> {
    for (const client of this.#clients.values()) await client.end().catch(() => undefined);
    this.#clients.clear();
    await this.#watch.end().catch(() => undefined);
    await this.#database.crash?.();
    this.#watch = await connected(this.#database.url);
  }

  /** Notes the names of the open transactions. */
  async #learnNames(): Promise<void> {
    const { rows } = await this.#watch.query<{ name: string; pid: number | null }>(HOLDERS);
    for (const { name, pid } of rows)
      for (const [letter, client] of this.#clients)
        if (pid !== null && pid === processOf(client)) this.#letters.set(name, letter);
    const known = new Set([...this.#clients.values()].map(processOf));
    const [log] = this.#logs.keys();
    for (const { name, pid } of rows)
      if (pid !== null && !known.has(pid) && log !== undefined && !this.#letters.has(name))
        this.#letters.set(name, log);
  }

  async #lettersOf(names: Iterable<string>): Promise<string> {
    const { rows } = await this.#watch.query<{ name: string; pid: number | null }>(HOLDERS);
    const prepared = new Set(rows.flatMap(({ name, pid }) => (pid === null ? [name] : [])));
    const letters = [...names].map((name) => {
      const letter = this.#letters.get(name);
      if (letter === undefined) return name.startsWith("-1/") ? "renamed" : "unknown";
      return prepared.has(name) ? `${letter}, prepared` : letter;
    });
    return letters.length === 0 ? "none" : letters.toSorted().join(" ");
  }

  async #ofLog(session: string, line: Line): Promise<string> {
    let log = this.#logs.get(session);
    if (log === undefined) {
      const { database, schema, merge } = configOf(this.#database.daemonUrl);
      const connection = {
        database,
        applicationName: `script ${session}`,
        connectTimeoutMs: PATIENCE_MS,
        statementTimeoutMs: PATIENCE_MS,
        lockTimeoutMs: PATIENCE_MS,
      };
      log = await openLog({ ...connection, schema, merge }, () => undefined, this.#stop.signal);
      this.#logs.set(session, log);
    }
    if (line.command === "granted?") return this.#granted(session);
    const of = log;
    if (line.command === "lock") return this.#locks(session, () => of.beginLocked().then(() => "granted"));
    if (line.command === "fence") return this.#locks(session, () => fenceAnswer(of, line));
    return logAnswer(log, line, (names) => this.#lettersOf(names));
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // Servers and sessions are ended on purpose.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

function processOf(client: pg.Client): number | undefined {
  return (client as unknown as { readonly processID?: number }).processID;
}

function insert(item: string, id?: string): string {
  const [column, value] = id === undefined ? ["", ""] : ["id, ", `${id}, `];
  return `INSERT INTO events_outbox (${column}kind, work_item_id, payload) VALUES (${value}'phase.transition', ${item}, '{"target": "merged"}')`;
}
