/** An orchestrator: a client that runs its transactions one after another, statement by statement. */
import { mergeRow, type Row, STRANGE_KIND } from "./rows.ts";
import type { Work, Write } from "./scenario.ts";
import type { Server, SessionId } from "./server.ts";

/** What happens at one instant. */
export type Piece = { readonly label: string; readonly run: (server: Server, session: SessionId) => void };

/** A transaction up to its end. Between any two pieces, other sessions may run. */
export function piecesOf({ writes }: Pick<Work, "writes">): Piece[] {
  const pieces = writes.flatMap(piecesFor);
  return pieces.map((piece, index) => ({
    label: piece.label,
    run: (server, session) => {
      if (index === 0) server.begin(session);
      piece.run(server, session);
    },
  }));
}

/** The two halves of COMMIT. */
export const COMMIT: readonly Piece[] = [
  { label: "commit", run: (server, session) => server.makeVisible(session) },
  { label: "commit: visible, locks still held", run: (server, session) => server.release(session) },
];
export const ROLLBACK: readonly Piece[] = [
  { label: "rollback", run: (server, session) => server.rollback(session) },
];
/** PREPARE TRANSACTION and its end, which any session may bring about. */
export function prepared(name: string, commits: boolean): readonly [Piece, Piece, Piece] {
  const end = `${commits ? "commit" : "rollback"} prepared`;
  return [
    { label: "prepare", run: (server, session) => server.prepare(session, name) },
    { label: end, run: (server) => server.finishPrepared(name, commits) },
    { label: `${end}: over, locks still held`, run: (server) => server.releasePrepared(name) },
  ];
}

function piecesFor(write: Write): Piece[] {
  switch (write.does) {
    case "facts": {
      const { item, facts } = write;
      return [{ label: "facts", run: (server, session) => server.setFacts(session, nameOf(item), facts) }];
    }
    case "delete": {
      const { item } = write;
      return [{ label: "delete", run: (server, session) => server.deleteItem(session, nameOf(item)) }];
    }
    case "explicit id": {
      const { item } = write;
      const insert: Piece["run"] = (server, session) => {
        const id = server.takeUnused();
        if (id === undefined) return;
        server.takeLocks(session, { table: true });
        server.insert(session, mergeRow(id, nameOf(item)));
      };
      return [{ label: "explicit id", run: insert }];
    }
    case "undone":
      return [
        { label: "savepoint", run: (server, session) => server.savepoint(session) },
        ...insertion("merge", write.item, null),
        { label: "rollback to savepoint", run: (server, session) => server.rollbackToSavepoint(session) },
      ];
    case "merge":
      return insertion(write.does, write.item, write.drawnAhead);
    case "transition":
    case "strange row":
      return insertion(write.does, write.item, null);
  }
}

/** @param ahead `nextval` in a statement of its own, so many steps before the insert. */
function insertion(does: keyof typeof WRITTEN, item: number | null, ahead: number | null): Piece[] {
  const row = (id: number): Row => WRITTEN[does](id, item === null ? null : nameOf(item));
  const locks: Piece = {
    label: `${does}: sequence locked`,
    run: (server, session) =>
      server.takeLocks(session, { sequence: true, ...(ahead === null ? { table: true } : {}) }),
  };
  if (ahead === null) {
    const insert: Piece["run"] = (server, session) => server.insert(session, row(server.draw(session)));
    return [locks, { label: `${does}: inserted`, run: insert }];
  }
  return [
    locks,
    { label: `${does}: id drawn`, run: (server, session) => server.nextval(session) },
    ...Array.from({ length: ahead - 1 }, () => ({ label: `${does}: waits`, run: () => undefined })),
    {
      label: `${does}: inserted`,
      run: (server, session) => {
        server.takeLocks(session, { table: true });
        server.insert(session, row(server.lastval(session)));
      },
    },
  ];
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

/** Steps between PREPARE TRANSACTION and its end. */
const PREPARED_STEPS = 20;

export class Orchestrator {
  readonly #name: string;
  readonly #server: Server;
  readonly #wait: (label: string) => Promise<void>;
  readonly #notify: () => void;
  #session: SessionId;
  /** Sessions whose transaction stays open. */
  readonly #held: SessionId[] = [];
  #prepared = 0;

  constructor(name: string, server: Server, wait: (label: string) => Promise<void>, notify: () => void) {
    this.#name = name;
    this.#server = server;
    this.#wait = wait;
    this.#notify = notify;
    this.#session = server.connect();
  }

  async run(works: readonly Work[]): Promise<void> {
    for (const work of works) {
      // A client that lost its session connects anew; its transaction is lost.
      if (this.#server.ended(this.#session)) this.#session = this.#server.connect();
      await this.#work(work);
    }
  }

  /** Whether a transaction of its is still open. */
  get holds(): boolean {
    return this.#held.some((session) => !this.#server.ended(session));
  }

  /** Commits what it has kept open. */
  async letGo(): Promise<void> {
    for (const session of this.#held.splice(0)) await this.#pieces(session, COMMIT);
  }

  async #work(work: Work): Promise<void> {
    const session = this.#session;
    if (!(await this.#pieces(session, piecesOf(work)))) return;
    switch (work.ends) {
      case "held":
        this.#held.push(session);
        this.#session = this.#server.connect();
        return;
      case "rollback":
        await this.#pieces(session, ROLLBACK);
        return;
      case "commit":
        if (!(await this.#pieces(session, COMMIT))) return;
        break;
      case "commit prepared":
      case "rollback prepared":
        if (!(await this.#twoPhases(session, work.ends === "commit prepared"))) return;
        break;
    }
    if (work.notifies) this.#notify();
  }

  /** @returns whether the session still is there. */
  async #pieces(session: SessionId, pieces: readonly Piece[]): Promise<boolean> {
    for (const { label, run } of pieces) {
      const rows = this.#server.transaction(session)?.rows ?? [];
      await this.#step(`${label} (${rows.map(({ id }) => id).join(" ")})`);
      if (this.#server.ended(session)) return false;
      run(this.#server, session);
    }
    return true;
  }

  /** @returns whether it came to its end. */
  async #twoPhases(session: SessionId, commits: boolean): Promise<boolean> {
    this.#prepared += 1;
    const name = `${this.#name}, ${this.#prepared}`;
    const [prepare, ...ends] = prepared(name, commits);
    if (!(await this.#pieces(session, [prepare]))) return false;
    for (let steps = 0; steps < PREPARED_STEPS; steps += 1) await this.#step(`${name} is prepared`);
    for (const { label, run } of ends) {
      await this.#step(label);
      run(this.#server, session);
    }
    return true;
  }

  #step(label: string): Promise<void> {
    return this.#wait(`${this.#name}: ${label}`);
  }
}
