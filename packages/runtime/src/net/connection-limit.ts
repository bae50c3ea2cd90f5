/**
 * Bounds of a port over all its connections. A full port closes a connection that waits for no answer to accept a new
 * one, and refuses it if there is none.
 */
import type { Server, Socket } from 'node:net';

/** `calm`: a connection over HTTP/2 that was closed because it went on after many refusals. */
export const refusedKinds = ['connection', 'stream', 'pipelined', 'calm'] as const;
export type RefusedKind = (typeof refusedKinds)[number];

export interface PortLimits {
  readonly mostConnections: number;
  /** Over HTTP/2, of all connections. */
  readonly mostStreams: number;
  readonly onRefusal: (kind: RefusedKind) => void;
}

/** Of ports without many clients. */
export const smallPort: PortLimits = { mostConnections: 256, mostStreams: 1024, onRefusal: () => {} };

/** Most unanswered HTTP/1.1 requests of a connection. */
export const MOST_PIPELINED = 64;
/** Unsent data of one HTTP/2 connection and its tables, beyond which it gets no new stream. */
export const SESSION_MEMORY_MIB = 64;
/** Time to the first byte of a body over HTTP/2. */
export const FIRST_BODY_BYTE_MS = 10_000;

const LINGER_MS = 1000;
const MOST_LINGERING = 64;

export interface Admission {
  readonly limits: PortLimits;
  /** Closes a connection that waits for no answer; false if there is none. */
  readonly closeIdle: () => boolean;
  /** Bytes for a refused client; none over TLS, which would cost a handshake. */
  readonly words: string | Uint8Array | undefined;
}

/** Call once all listeners for connections are there. */
export function limitConnections(server: Server, { limits, closeIdle, words }: Admission): void {
  const listeners = server.listeners('connection');
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
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    if (open >= limits.mostConnections && !closeIdle()) {
      refuse(socket);
      return;
    }
    open++;
    let { stackTraceLimit } = Error;
    // Node makes an error for each request that waits on the connection. Most of their cost are stacks, which are never read.
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
}
