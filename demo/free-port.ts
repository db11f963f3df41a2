/** Free ports of this machine. */
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A free port below the range that systems give to outgoing connections. In that range, a client that keeps trying
 * while the server is down can be given the very port it dials, and then talks to itself.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port between 20000 and 32000");
}

/** Whether the port is free now. */
export async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
