/** An orchestrator: a client that runs its transactions one after another, statement by statement. */
import { mergeRow, type Row, STRANGE_KIND } from "./rows.ts";
import type { Work, Write } from "./scenario.ts";
import type { Server, Session, Transaction } from "./server.ts";

export class Orchestrator {
  readonly #name: string;
  readonly #server: Server;
  readonly #wait: (label: string) => Promise<void>;
  readonly #notify: () => void;
  #session: Session;
  /** Sessions whose transaction stays open. */
  readonly #held: Session[] = [];

  constructor(name: string, server: Server, wait: (label: string) => Promise<void>, notify: () => void) {
    this.#name = name;
    this.#server = server;
    this.#wait = wait;
    this.#notify = notify;
    this.#session = server.connect();
  }

  async run(works: readonly Work[]): Promise<void> {
    for (const work of works) {
      // Whoever's session is gone comes back with another; what was under way is lost.
      if (this.#session.ended) this.#session = this.#server.connect();
      await this.#work(work);
    }
  }

  /** Whether a transaction of its is still open. */
  get holds(): boolean {
    return this.#held.some((session) => !session.ended);
  }

  /** Commits what it has kept open. */
  async letGo(): Promise<void> {
    for (const session of this.#held.splice(0)) await this.#commit(session);
  }

  async #work(work: Work): Promise<void> {
    const session = this.#session;
    const transaction = this.#server.begin(session);
    for (const write of work.writes) {
      await this.#write(write, session, transaction);
      if (session.ended) return;
    }
    await this.#step(
      `${work.ends} (${transaction.name}: ${transaction.rows.map((row) => row.id).join(" ")})`,
    );
    if (session.ended) return;
    switch (work.ends) {
      case "held":
        this.#held.push(session);
        this.#session = this.#server.connect();
        return;
      case "rollback":
        this.#server.rollback(session);
        return;
      case "commit":
        await this.#commit(session);
        break;
      case "commit prepared":
      case "rollback prepared":
        await this.#twoPhases(session, work.ends === "commit prepared");
        break;
    }
    if (work.notifies) this.#notify();
  }

  async #commit(session: Session): Promise<void> {
    if (session.ended) return;
    this.#server.makeVisible(session);
    await this.#step("visible, locks still held");
    if (!session.ended) this.#server.release(session);
  }

  async #twoPhases(session: Session, commits: boolean): Promise<void> {
    const name = this.#server.prepare(session);
    for (let steps = 0; steps < 6; steps += 1) await this.#step(`${name} is prepared`);
    this.#server.finishPrepared(name, commits);
    await this.#step(`${name} is over, locks still held`);
    this.#server.releasePrepared(name);
  }

  async #write(write: Write, session: Session, transaction: Transaction): Promise<void> {
    if (write.does === "facts") {
      transaction.facts.push([nameOf(write.item), write.facts]);
      return;
    }
    if (write.does === "explicit id") {
      await this.#step("explicit id");
      const id = this.#server.unused.shift();
      if (id === undefined || session.ended) return;
      transaction.locksTable = true;
      transaction.rows.push(mergeRow(id, nameOf(write.item)));
      return;
    }
    await this.#step(write.does);
    if (session.ended) return;
    const ahead = write.does === "merge" ? write.drawnAhead : null;
    if (ahead === null) transaction.locksTable = true;
    transaction.locksSequence = true;
    await this.#step(`${write.does}: sequence locked`);
    if (session.ended) return;
    const id = this.#server.draw(session);
    for (let steps = 0; steps < (ahead ?? 0); steps += 1) {
      await this.#step(`${write.does}: ${id} drawn`);
      if (session.ended) return;
    }
    transaction.locksTable = true;
    const item = write.item === null ? null : nameOf(write.item);
    transaction.rows.push(WRITTEN[write.does](id, item));
  }

  #step(label: string): Promise<void> {
    return this.#wait(`${this.#name}: ${label}`);
  }
}

const WRITTEN = {
  merge: mergeRow,
  transition: (id: number, item: string | null): Row => ({
    ...mergeRow(id, item),
    payload: '{"target": "review"}',
  }),
  "strange row": (id: number, item: string | null): Row => ({ id, item, kind: STRANGE_KIND, payload: "{}" }),
};

/** A work item's id. */
export function nameOf(item: number): string {
  return `item-${item}`;
}
