/** An administrator of the orchestrator's database, who means no harm. */
import pg from "pg";

const ADMINISTRATOR = "administrator";

/** A server that is away, a lock that was not granted: then what was intended does not happen. */
export async function administer(ownerUrl: string, use: (admin: pg.Client) => Promise<void>): Promise<void> {
  const named = new URL(ownerUrl);
  named.searchParams.set("application_name", ADMINISTRATOR);
  const admin = new pg.Client({ connectionString: named.href });
  admin.on("error", () => undefined);
  try {
    await admin.connect();
    await use(admin);
  } catch (error) {
    if (isMistake(error)) throw error;
  } finally {
    await admin.end().catch(() => undefined);
  }
}

/** Neither the server's state nor anybody else is the reason, but the run itself; a prepared transaction may have been ended meanwhile. */
export function isMistake(error: unknown): boolean {
  return (
    !(error instanceof Error) ||
    (error instanceof pg.DatabaseError && /^(22|42(?!704))/.test(error.code ?? ""))
  );
}
