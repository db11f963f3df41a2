/**
 * A socket for a host with several addresses: the attempts to reach them share the connect timeout. Node gives each
 * attempt but the last a quarter of a second. A handshake over a slow network takes longer, so only the last address
 * could be reached.
 */
import { type LookupAddress, lookup } from "node:dns";
import { isIP, Socket } from "node:net";

type Resolve = (
  host: string,
  options: { readonly all: true },
  found: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * @param timeoutMs for all addresses together.
 * @param resolve turns a name into addresses.
 */
export function databaseSocket(timeoutMs: number, resolve: Resolve = lookup): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket);
  const connectTo = (port: number, host: string): Socket => {
    resolve(host, { all: true }, (error, addresses) => {
      if (socket.destroyed) return;
      connect({
        port,
        host,
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: Math.max(10, Math.floor(timeoutMs / (addresses?.length || 1))),
        lookup: (_name, _options, found) => found(error, addresses),
      });
    });
    return socket;
  };
  return Object.assign(socket, {
    connect: (place: number | string, host?: string) => {
      if (typeof place === "string") return connect(place);
      return host === undefined || isIP(host) !== 0 ? connect(place, host ?? "") : connectTo(place, host);
    },
  });
}
