/**
 * Bounds of a port over all its connections. To accept a new connection, a full port closes another one. A slow TLS
 * handshake goes first, then a connection that waits for no answer or whose request arrives slowly, then the oldest TLS
 * handshake. If there is none, the port refuses the new connection.
 */
import type { Server, Socket } from 'node:net';

/** Kinds of refusals. `calm`: an HTTP/2 connection was closed after many refused or wasted streams. */
export const refusedKinds = ['connection', 'stream', 'pipelined', 'calm'] as const;
export type RefusedKind = (typeof refusedKinds)[number];

export interface PortLimits {
  readonly mostConnections: number;
  /** Maximum open HTTP/2 streams, over all connections. */
  readonly mostStreams: number;
  readonly onRefusal: (kind: RefusedKind) => void;
}

/** Limits of ports with few clients. */
export const smallPort: PortLimits = { mostConnections: 256, mostStreams: 1024, onRefusal: () => {} };

/** Maximum unanswered HTTP/1.1 requests of one connection. */
export const MOST_PIPELINED = 64;
/**
 * Requests that a connection may have open before its first answer, while new clients wait to be accepted. To create and
 * discard the objects of a request takes Node up to 60 µs.
 */
export const MOST_FIRST_REQUESTS = 16;
/** Bytes that one connection may send after a request that waits for earlier ones. Node keeps what it has read. */
export const MOST_WAITING_BYTES = 256 * 1024;
/**
 * Limits of one HTTP/2 connection. Above its memory (MiB) for unsent data and tables, new streams are refused. A reset
 * stream counts as open until it has been taken down, so a client whose deadlines end together is refused some streams
 * and resets many. Node's own limits (100 refused streams, 33 resets per second) would cost it the connection. Those on
 * resets apply since Node 24.
 */
export const http2Limits = {
  maxSessionMemory: 64,
  maxSessionRejectedStreams: 1000,
  streamResetBurst: 1000,
  streamResetRate: 100,
};
/** Maximum wait for the first byte of a body over HTTP/2. */
export const FIRST_BODY_BYTE_MS = 10_000;

/** A younger request is never slow. */
const LEAST_AGE_MS = 1000;
/** Mean rate below which a request is slow. At this rate, 1 MB arrives within the default time limit of 60 s. */
const LEAST_BYTES_PER_MS = 16;

const LINGER_MS = 1000;
/** Age of a slow TLS handshake. A younger one is probably a client that is about to ask. */
const SLOW_HANDSHAKE_MS = 1000;
const MOST_LINGERING = 64;

/** True for an incomplete request that arrives so slowly that it makes place for a new connection. */
export function isSlowRequest(ageMs: number, bytes: number): boolean {
  return ageMs >= LEAST_AGE_MS && bytes < LEAST_BYTES_PER_MS * ageMs;
}

export interface Admission {
  readonly limits: PortLimits;
  /** Closes a connection that waits for no answer or sends slowly; false if it finds none. */
  readonly closeOther: () => boolean;
  /** Answer to a refused client. Over TLS there is none, because it would cost a handshake. */
  readonly words: string | Uint8Array | undefined;
  readonly nowMs?: () => number;
}

/** Call after adding all listeners for connections. Returns a function that closes incomplete TLS handshakes. */
export function limitConnections(
  server: Server,
  { limits, closeOther, words, nowMs = () => performance.now() }: Admission,
): () => void {
  const listeners = server.listeners('connection');
  const handshakes = new Handshakes(server, nowMs);
  let open = 0;
  let lingering = 0;
  const refuse = (socket: Socket) => {
    limits.onRefusal('connection');
    if (words === undefined || lingering >= MOST_LINGERING) {
      socket.destroy();
      return;
    }
    lingering++;
    const cutOff = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => {
      clearTimeout(cutOff);
      lingering--;
    });
    // Unread bytes would reset the connection before the client has read the refusal.
    socket
      .on('error', () => {})
      .resume()
      .end(words);
  };
  const makePlace = () => handshakes.closeOldest(SLOW_HANDSHAKE_MS) || closeOther() || handshakes.closeOldest();
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    if (open >= limits.mostConnections && !makePlace()) {
      refuse(socket);
      return;
    }
    open++;
    handshakes.add(socket);
    let { stackTraceLimit } = Error;
    // At a close, Node makes an error for each waiting request. The stacks of these errors are costly and never read.
    socket.once('close', () => {
      open--;
      ({ stackTraceLimit } = Error);
      Error.stackTraceLimit = 0;
    });
    for (const listener of listeners) listener.call(server, socket);
    socket.once('close', () => {
      Error.stackTraceLimit = stackTraceLimit;
    });
  });
  return () => {
    while (handshakes.closeOldest());
  };
}

/** Incomplete handshakes of a TLS server, by address: a complete handshake is reported with another socket object. */
class Handshakes {
  readonly #isSecure: boolean;
  readonly #nowMs: () => number;
  readonly #byAddress = new Map<string, { readonly socket: Socket; readonly sinceMs: number }>();

  constructor(server: Server, nowMs: () => number) {
    this.#isSecure = 'setSecureContext' in server;
    this.#nowMs = nowMs;
    server.on('secureConnection', (socket: Socket) => this.#byAddress.delete(addressOf(socket)));
  }

  add(socket: Socket): void {
    if (!this.#isSecure) return;
    const address = addressOf(socket);
    this.#byAddress.set(address, { socket, sinceMs: this.#nowMs() });
    socket.once('close', () => this.#byAddress.delete(address));
  }

  /** False if there is none of this age. */
  closeOldest(leastAgeMs = 0): boolean {
    for (const [address, { socket, sinceMs }] of this.#byAddress) {
      if (this.#nowMs() - sinceMs < leastAgeMs) return false;
      this.#byAddress.delete(address);
      socket.destroy();
      return true;
    }
    return false;
  }
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
