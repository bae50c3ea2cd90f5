/**
 * The serving port: HTTP/1.1 on node:http, loopback unless told otherwise. Slow headers and bodies time out; closing stops accepting,
 * lets running requests end and cuts off what is left after a time.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError } from '@equipoise/core';
import { type StageFailure, warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import { type ExchangeSetting, exchange } from './exchange.js';
import { refuseRaw } from './raw-refusal.js';
import { RouteTable, routes } from './routes.js';
import { type Runner, ServedPipeline } from './served-pipeline.js';

const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;

/** What to serve and where; port 0 takes a free one. `version` is that of the product, for the server metadata. */
export interface ServerOptions {
  readonly runners: readonly Runner[];
  readonly version: string;
  readonly port: number;
  readonly host?: string;
  readonly maxBodyBytes?: number;
  /** Longest time from the first byte of a request to its last. */
  readonly requestTimeoutMs?: number;
  /** Told of errors that are defects of the server; by default they are process warnings. */
  readonly onDefect?: (error: unknown) => void;
  /** Told of every request that a stage failed; `cause` is what the stage said, which no client sees. Default: a process warning. */
  readonly onStageFailure?: (failure: StageFailure) => void;
}

/** A server that accepts requests. */
export interface RunningServer {
  readonly url: string;
  /** Stops accepting, waits for running requests at most `timeoutMs` (10 s), then cuts their connections. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when the address cannot be listened on. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port } = options;
  let closing = false;
  const server = httpServer(options, () => closing);
  await listening(server, host, port);
  const { address, family, port: boundPort } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${boundPort}`,
    close: ({ timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = {}) => {
      closing = true;
      closed ??= closeServer(server, timeoutMs);
      return closed;
    },
  };
}

function httpServer(options: ServerOptions, closing: () => boolean): Server {
  const { requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = options;
  const server = createServer({
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(1000, requestTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  const setting: ExchangeSetting = {
    table: new RouteTable(routes(options.version)),
    pipelines: new Map(options.runners.map((runner) => [runner.spec.name, new ServedPipeline(runner)])),
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    onDefect: options.onDefect ?? warnOfDefect,
    onStageFailure: options.onStageFailure ?? warnOfStageFailure,
    closing,
  };
  const pending = new WeakMap<Duplex, ServerResponse>();
  const serve = (awaitsContinue: boolean) => (request: ServerResponse['req'], response: ServerResponse) => {
    pending.set(request.socket, response);
    response.once('close', () => {
      if (pending.get(request.socket) === response) pending.delete(request.socket);
    });
    void exchange(setting, { request, response, awaitsContinue });
  };
  server.on('request', serve(false));
  // Node would refuse unknown expectations with an empty 417; HTTP lets a server ignore them (RFC 9110 §10.1.1).
  server.on('checkExpectation', serve(false));
  server.on('checkContinue', serve(true));
  server.on('clientError', (error, socket) => refuseRaw(error, socket, pending.get(socket)));
  return server;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const place = `${host}:${port}`;
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new AppError('WRONG_USAGE', `Cannot listen on ${place}: a port is an integer from 0 to 65535.`);
    }
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') reject(new AppError('PORT_IN_USE', `Something listens on ${place} already.`));
      else reject(new AppError('WRONG_USAGE', `Cannot listen on ${place}: ${error.message}.`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}

async function closeServer(server: Server, timeoutMs: number): Promise<void> {
  const cutOff = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(cutOff);
}
