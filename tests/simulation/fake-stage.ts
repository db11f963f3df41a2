/** The scripts of `reality.ts` on the simulated server. */
import type { OutboxLog } from "../../src/outbox/outbox-log.ts";
import { SimulatedLog } from "./log.ts";
import { fenceAnswer, logAnswer } from "./log-answers.ts";
import { nameOf, prepared } from "./orchestrator.ts";
import type { Line, Stage } from "./reality.ts";
import { mergeRow, STRANGE_KIND } from "./rows.ts";
import { EMPTY, Server, type SessionId, type State } from "./server.ts";
import type { Statement } from "./statement.ts";
import type { Channel } from "./wire.ts";

const ITEMS = [1, 2, 3, 4];
const FACTS = { project: "a", attempts: "1", lastVerdict: "approve" };

type FakeSession = {
  id: SessionId;
  /** Of a transaction under REPEATABLE READ, from its first statement on. */
  snapshot: State | "not taken" | null;
  /** What its statement saw before it waited. */
  seen: string | null;
  failed: boolean;
  /** A log's answer once it is granted the lock. */
  granted: Promise<string>;
};

const NOT_ASKED = Promise.resolve("");

export class FakeStage implements Stage {
  readonly #server: Server;
  readonly #sessions = new Map<string, FakeSession>();
  readonly #logs = new Map<string, OutboxLog>();
  /** Sessions by the names of their transactions. */
  readonly #letters = new Map<string, string>();

  constructor(cache: number) {
    const items = new Map(ITEMS.map((item) => [nameOf(item), [FACTS]]));
    this.#server = new Server({ ...EMPTY, items }, { cache });
  }

  async run(line: Line): Promise<string> {
    const { session: letter, command } = line;
    const session = this.#session(letter);
    const answer =
      "DE".includes(letter) && command !== "holders"
        ? await this.#ofLog(letter, session, line)
        : this.#ofSession(session, line);
    for (const [name, { id }] of this.#sessions) {
      const transaction = this.#server.transaction(id);
      if (transaction !== null && transaction.name !== "") this.#letters.set(transaction.name, name);
    }
    return answer;
  }

  #session(letter: string): FakeSession {
    let session = this.#sessions.get(letter);
    if (session === undefined || this.#server.ended(session.id)) {
      session = { id: this.#server.connect(), snapshot: null, seen: null, failed: false, granted: NOT_ASKED };
      this.#sessions.set(letter, session);
    }
    return session;
  }

  #ofSession(session: FakeSession, { command, argument }: Line): string {
    const { id } = session;
    const server = this.#server;
    const item = nameOf(Number(argument));
    if (session.failed && command !== "commit" && command !== "rollback") return "25P02";
    switch (command) {
      case "begin":
      case "begin repeatable read":
        server.begin(id);
        session.snapshot = command === "begin" ? null : "not taken";
        return "";
      case "rows":
        return listed(this.#snapshot(session).rows.map((row) => row.id));
      case "items":
        return listed(
          this.#snapshot(session).rows.map((row) => `${row.id}:${row.item?.replace("item-", "") ?? "none"}`),
        );
      case "drawn":
        return String(server.drawn);
      case "holders":
        return this.holders(id);
      case "insert":
        return String(this.#alone(session, () => this.#insert(id, (row) => mergeRow(row, item))));
      case "strange":
        return String(
          this.#alone(session, () =>
            this.#insert(id, (row) => ({ id: row, kind: STRANGE_KIND, item: null, payload: "{}" })),
          ),
        );
      case "nextval":
        server.takeLocks(id, { sequence: true });
        server.nextval(id);
        return String(server.lastval(id));
      case "insert drawn":
        server.takeLocks(id, { table: true });
        server.insert(id, mergeRow(server.lastval(id), item));
        return "";
      case "insert by hand":
        server.takeLocks(id, { table: true });
        server.insert(id, mergeRow(Number(argument), nameOf(1)));
        return "";
      case "delete":
        this.#alone(session, () => server.deleteItem(id, item));
        return "";
      case "savepoint":
        server.savepoint(id);
        return "";
      case "rollback to savepoint":
        server.rollbackToSavepoint(id);
        return "";
      case "commit": {
        const answer = session.failed ? "ROLLBACK" : "COMMIT";
        if (session.failed) server.rollback(id);
        else {
          server.makeVisible(id);
          server.release(id);
        }
        Object.assign(session, { snapshot: null, failed: false });
        return answer;
      }
      case "rollback":
        server.rollback(id);
        Object.assign(session, { snapshot: null, failed: false });
        return "";
      case "prepare":
      case "commit prepared":
      case "rollback prepared": {
        const [prepare, ...ends] = prepared("a script's", command === "commit prepared");
        for (const piece of command === "prepare" ? [prepare] : ends) piece.run(server, id);
        return "";
      }
      case "lock":
        server.ask(id);
        return server.owns(id) ? "granted" : "waits";
      case "lock and rows":
        session.seen = listed(this.#snapshot(session).rows.map((row) => row.id));
        server.ask(id);
        return server.owns(id) ? session.seen : "waits";
      case "lock soon":
        session.failed = server.locked;
        return session.failed ? "55P03" : "granted";
      case "granted?":
        return server.owns(id) ? (session.seen ?? "granted") : "waits";
      case "discard":
        server.discard(id);
        return "";
      case "truncate soon":
        return server.truncate() ? "" : "55P03";
      case "end":
        server.end(id);
        return "";
      case "crash":
        server.recovery();
        return "";
      default:
        throw new Error(`no command: ${command}`);
    }
  }

  /** As a transaction of its own, if the session is in none. */
  #alone<T>({ id }: FakeSession, run: () => T): T {
    const server = this.#server;
    if (server.transaction(id) !== null) return run();
    server.begin(id);
    const done = run();
    server.makeVisible(id);
    server.release(id);
    return done;
  }

  #insert(id: SessionId, row: (id: number) => ReturnType<typeof mergeRow>): number {
    this.#server.takeLocks(id, { table: true, sequence: true });
    const drawn = this.#server.draw(id);
    this.#server.insert(id, row(drawn));
    return drawn;
  }

  #snapshot(session: FakeSession): State {
    this.#server.reads(session.id);
    const { state } = this.#server;
    if (session.snapshot === "not taken") session.snapshot = state;
    return session.snapshot ?? state;
  }

  holders(id: SessionId): string {
    return this.#lettersOf([...this.#server.holders(id)].map(({ name }) => name));
  }

  readonly #lettersOf = (names: Iterable<string>): string => {
    const { prepared: kept } = this.#server.state;
    const isPrepared = (name: string): boolean => [...kept.values()].some((one) => one.name === name);
    const letters = [...names].map((name) => {
      const letter = this.#letters.get(name);
      if (letter === undefined) return name.startsWith("-1/") ? "renamed" : "unknown";
      return isPrepared(name) ? `${letter}, prepared` : letter;
    });
    return letters.length === 0 ? "none" : letters.toSorted().join(" ");
  };

  async #ofLog(letter: string, session: FakeSession, line: Line): Promise<string> {
    const { id } = session;
    const server = this.#server;
    let log = this.#logs.get(letter);
    if (log === undefined) {
      const send = async <T>({ parts }: Statement<T>): Promise<T> => {
        let value: unknown;
        for (const { run, underLock } of parts) {
          if (underLock) await server.granted(id);
          value = run(value);
        }
        return value as T;
      };
      const channel: Channel = {
        session: id,
        send,
        end: () => server.end(id),
        destroy: () => server.end(id),
      };
      log = new SimulatedLog({
        server,
        channel,
        pageRows: 20_000,
        cached: false,
        committed: () => undefined,
      });
      this.#logs.set(letter, log);
    }
    if (line.command === "lock") session.granted = log.beginLocked().then(() => "granted");
    if (line.command === "fence") session.granted = fenceAnswer(log, line);
    if (["lock", "fence", "granted?"].includes(line.command))
      return server.owns(id) ? session.granted : "waits";
    return logAnswer(log, line, this.#lettersOf);
  }
}

function listed(values: readonly (string | number)[]): string {
  return values.length === 0 ? "none" : values.join(" ");
}
