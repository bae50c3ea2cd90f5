/**
 * Connections that use resources of a server without sending much: slow heads and bodies, calls that never end,
 * thousands of silent connections.
 */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { FUZZED_PIPELINE } from './http-cases.js';

/** Ends of the connections of one kind. */
export interface HostileFigures {
  readonly connections: number;
  /** Connections that the server ended, with or without an answer. */
  readonly endedByServer: number;
  /** Duration of the longest connection. */
  readonly longestMs: number;
}

const DRIP_MS = 500;
/** Requests may take 60 s in all. A connection that lasts longer than this counts as endless. */
const PATIENCE_MS = 75_000;
const START = `POST /v2/models/${FUZZED_PIPELINE}/infer HTTP/1.1\r\nhost: x\r\n`;

/** Heads that arrive byte by byte. */
export function slowHeads(port: number, connections: number): Promise<HostileFigures> {
  return outlasted(connections, () => dripping(port, START, 'x-slow: 1\r\n'));
}

/** Bodies that arrive byte by byte after a head that states a large length. */
export function slowBodies(port: number, connections: number): Promise<HostileFigures> {
  return outlasted(connections, () => dripping(port, `${START}content-length: 100000\r\n\r\n{`, ' '));
}

/** HTTP/2 calls whose message never ends. */
export async function slowCalls(address: string, connections: number): Promise<HostileFigures> {
  return outlasted(connections, async () => {
    const session = connectHttp2(`http://${address}`);
    session.on('error', () => {});
    const stream = session.request({
      ...{ ':method': 'POST', ':path': '/inference.GRPCInferenceService/ModelInfer' },
      ...{ te: 'trailers', 'content-type': 'application/grpc' },
    });
    stream.on('error', () => {}).resume();
    stream.write(Buffer.of(0, 0, 0, 16, 0));
    const drip = setInterval(() => stream.write(Buffer.of(0)), DRIP_MS);
    await Promise.race([once(stream, 'response'), once(stream, 'close')]);
    clearInterval(drip);
    session.destroy();
  });
}

/** Opens silent connections; `closed` returns how many of them the server has ended. */
export async function idleConnections(
  port: number,
  connections: number,
): Promise<{ readonly closed: () => number; readonly end: () => void }> {
  const sockets: Socket[] = [];
  let closed = 0;
  const BURST = 200;
  while (sockets.length < connections) {
    const burst = Array.from({ length: Math.min(BURST, connections - sockets.length) }, () => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {}).resume();
      socket.once('close', () => (closed += 1));
      return socket;
    });
    sockets.push(...burst);
    await Promise.all(burst.map((socket) => once(socket, 'connect')));
  }
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return { closed: () => closed, end };
}

async function dripping(port: number, start: string, drop: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {}).resume();
  socket.write(start);
  const drip = setInterval(() => socket.write(drop), DRIP_MS);
  await once(socket, 'close');
  clearInterval(drip);
}

async function outlasted(connections: number, one: () => Promise<void>): Promise<HostileFigures> {
  const beganAtMs = performance.now();
  let endedByServer = 0;
  let longestMs = 0;
  const all = Array.from({ length: connections }, async () => {
    await one();
    endedByServer += 1;
    longestMs = performance.now() - beganAtMs;
  });
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([Promise.all(all), patience]);
  clearTimeout(timer);
  return { connections, endedByServer, longestMs };
}
