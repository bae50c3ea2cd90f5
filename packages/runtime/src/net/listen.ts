/**
 * Binding an address. Node accepts one connection of a socket per turn of the event loop. With a single socket, clients
 * that open connections without a pause make all others wait for thousands of turns, so several sockets listen on a port.
 */
import { type AddressInfo, createServer, type ListenOptions, Server, type ServerOpts } from 'node:net';
import { AppError } from '@equipoise/core/model';
import { portHolder } from './port-holder.js';

/** Port 0 means any free port. */
export interface ListeningPlace {
  readonly host: string;
  readonly port: number;
}

/** The bound address. */
export interface Listening extends ListeningPlace {
  /** Accepts no more connections. Resolves once all connections are closed. */
  close(): Promise<void>;
}

/**
 * Sockets of a port by its protocol. As many connections are accepted in a turn, so costly connections have fewer. A TLS
 * handshake takes about a millisecond, and so do the first bytes of a connection that is HTTP/2 only. One if sockets
 * cannot share a port: before Node 22.12 and 23.1, and on other systems than Linux.
 */
export const SOCKETS_PER_PORT = canSharePorts() ? { http: 64, https: 16, http2: 2 } : { http: 1, https: 1, http2: 1 };
/**
 * Connections of a port that may wait to be accepted. The operating system ignores connections beyond these, and their
 * clients try again after a second. A longer queue fills up as well under a flood, and then every client waits longer.
 */
const MOST_UNACCEPTED = 1024;

function canSharePorts(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return process.platform === 'linux' && (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12));
}

/** Returns `host:port`, IPv6 in brackets. Throws AppError WRONG_USAGE for an invalid port. */
export function placeText({ host, port }: ListeningPlace): string {
  const text = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return text;
  throw new AppError('WRONG_USAGE', `Cannot listen on ${text}: a port is an integer from 0 to 65535.`);
}

/** Rejects with AppError PORT_IN_USE or WRONG_USAGE. */
export async function listen(
  server: Server,
  place: ListeningPlace,
  protocol: keyof typeof SOCKETS_PER_PORT,
): Promise<Listening> {
  const text = placeText(place);
  const socketCount = SOCKETS_PER_PORT[protocol];
  const servers = [server];
  try {
    const sharing = { backlog: MOST_UNACCEPTED / socketCount, reusePort: socketCount > 1 };
    const bound = await bind(server, { ...(socketCount > 1 ? await freePlace(place) : place), ...sharing });
    while (servers.length < socketCount) {
      const other = forwarding(server);
      servers.push(other);
      await bind(other, { ...bound, ...sharing });
    }
    return { ...bound, close: () => closed(servers) };
  } catch (error) {
    void closed(servers);
    throw listenError(error as ListenError, { place, text });
  }
}

type ListenError = NodeJS.ErrnoException & { readonly address?: string };

function listenError(
  cause: ListenError,
  { place, text }: { readonly place: ListeningPlace; readonly text: string },
): Error {
  // A limit of the system, whatever the place.
  if (cause.code === 'EMFILE' || cause.code === 'ENFILE') return cause;
  if (cause.code !== 'EADDRINUSE') {
    return new AppError('WRONG_USAGE', `Cannot listen on ${text}: ${cause.message}.`, { cause });
  }
  const { address = place.host } = cause;
  const holder = portHolder({ address, port: place.port }) ?? 'Another process';
  return new AppError('PORT_IN_USE', `${holder} already listens on ${text}.`);
}

/**
 * Address of a place where no other server listens. Sockets that share their port would also share it with another
 * server of the same user. A socket that does not share its port finds that server. The system chooses no shared port.
 */
async function freePlace(place: ListeningPlace): Promise<ListeningPlace> {
  if (place.port === 0) return place;
  const claim = createServer((socket) => socket.destroy());
  const free = await bind(claim, { host: place.host, port: place.port });
  await closed([claim]);
  return free;
}

/** Server of a further socket; its connections are those of `server`. */
function forwarding(server: Server): Server {
  const { allowHalfOpen, noDelay, highWaterMark } = server as Server & Pick<ServerOpts, SocketOption>;
  return createServer({ allowHalfOpen, noDelay, highWaterMark }, (socket) => server.emit('connection', socket));
}

type SocketOption = 'allowHalfOpen' | 'noDelay' | 'highWaterMark';

function bind(server: Server, options: ListenOptions & { readonly reusePort?: boolean }): Promise<ListeningPlace> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      const { address, port } = server.address() as AddressInfo;
      resolve({ host: address, port });
    });
  });
}

/** `close` of an HTTP/1.1 server would cut connections with unsent answers. */
async function closed(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => Server.prototype.close.call(server, () => resolve()))),
  );
}
