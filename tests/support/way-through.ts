/** What stands between a client and PostgreSQL: where it listens, and the way by it. */
import { once } from "node:events";
import type { Server } from "node:net";

/** Listens on any free port of this host. @returns the port. */
export async function listenAnywhere(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The same connection string, by way of a port of this host. */
export function through(url: string, port: number): string {
  const way = new URL(url);
  way.hostname = "127.0.0.1";
  way.port = String(port);
  return way.href;
}
