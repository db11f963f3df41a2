/** One database for all tests of a file or group: there from its first hook on, and gone after its last test. */
import { beforeAll } from "vitest";
import { createDatabase, type DatabaseOptions, type TestDatabase } from "./database.ts";

/** Called where the tests are declared, before any hook that uses it. Its members throw while it is not there yet. */
export function sharedDatabase(options: DatabaseOptions = {}): TestDatabase {
  let made: TestDatabase | null = null;
  const drop = async (): Promise<void> => made?.drop();
  // What later hooks made of it is taken away before it, as they give it back in the same way.
  beforeAll(async () => {
    made = await createDatabase(options);
    return drop;
  });
  const there = (): TestDatabase => {
    if (made === null) throw new Error("the database is made before the first test, not before that");
    return made;
  };
  return {
    get name() {
      return there().name;
    },
    get url() {
      return there().url;
    },
    get daemonUrl() {
      return there().daemonUrl;
    },
    get role() {
      return there().role;
    },
    get admin() {
      return there().admin;
    },
    drop,
    [Symbol.asyncDispose]: drop,
  };
}
