import type { AddressInfo, Server } from 'node:net';
import { AppError } from '@equipoise/core/model';
import { portHolder } from './port-holder.js';

/** Port 0 means any free port. */
export interface ListeningPlace {
  readonly host: string;
  readonly port: number;
}

/**
 * Connections that may wait to be accepted: Node accepts one per turn of the event loop. The operating system ignores
 * connections beyond these, and their clients try again after a second. Linux allows at most 4,096 by default.
 */
const MOST_UNACCEPTED = 4096;

/** Returns `host:port`, IPv6 in brackets. Throws AppError WRONG_USAGE for an invalid port. */
export function placeText({ host, port }: ListeningPlace): string {
  const text = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return text;
  throw new AppError('WRONG_USAGE', `Cannot listen on ${text}: a port is an integer from 0 to 65535.`);
}

/** Resolves with the bound address; rejects with AppError PORT_IN_USE or WRONG_USAGE. */
export function listen(server: Server, place: ListeningPlace): Promise<ListeningPlace> {
  return new Promise((resolve, reject) => {
    const text = placeText(place);
    server.once('error', (cause: NodeJS.ErrnoException & { readonly address?: string }) => {
      if (cause.code === 'EADDRINUSE') {
        const { address = place.host } = cause;
        const holder = portHolder({ address, port: place.port }) ?? 'Another process';
        reject(new AppError('PORT_IN_USE', `${holder} already listens on ${text}.`));
      } else reject(new AppError('WRONG_USAGE', `Cannot listen on ${text}: ${cause.message}.`, { cause }));
    });
    server.listen({ port: place.port, host: place.host, backlog: MOST_UNACCEPTED }, () => {
      const { address, port } = server.address() as AddressInfo;
      resolve({ host: address, port });
    });
  });
}
