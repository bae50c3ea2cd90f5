/**
 * The serving ports: HTTP/1.1 on node:http and, where wanted, gRPC; loopback unless told otherwise. Slow headers and bodies time out; closing stops accepting,
 * lets running requests end and cuts off what is left after a time.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type StageFailure, warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { MetricsPage } from '../observe/metrics-page.js';
import type { AnsweredCall } from './answered-call.js';
import { BearerToken } from './bearer-token.js';
import { type ExchangeSetting, exchange } from './exchange.js';
import type { RunningGrpcServer } from './grpc/start-grpc-server.js';
import { type ListeningPlace, placeText, refusalToListen } from './listening-place.js';
import { refuseRaw } from './raw-refusal.js';
import { RouteTable, routes } from './routes.js';
import { type Runner, ServedPipeline } from './served-pipeline.js';
import type { ServingSetting } from './serving-setting.js';
import type { StageTypes } from './stage-types.js';

const DEFAULT_MAX_BODY_BYTES = 16 * 1024 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 65_000;
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;

/** What to serve and where; port 0 takes a free one. `version` is that of the product, for the server metadata. */
export interface ServerOptions {
  readonly runners: readonly Runner[];
  /** What is known of the tensors at the stages, by pipeline; where it is left out, the metadata of stages have none. */
  readonly stageTypes?: ReadonlyMap<string, StageTypes>;
  readonly version: string;
  readonly port: number;
  readonly host?: string;
  /** Port of gRPC on the same host; left out, there is none. */
  readonly grpcPort?: number;
  readonly maxBodyBytes?: number;
  /** Clients have to show it as a bearer token, except for probes of health. */
  readonly token?: string;
  /** Longest time from the first byte of a request to its last. */
  readonly requestTimeoutMs?: number;
  /** Told of errors that are defects of the server; by default they are process warnings. */
  readonly onDefect?: (error: unknown) => void;
  /** Told of every request that a stage failed; `cause` is what the stage said, which no client sees. Default: a process warning. */
  readonly onStageFailure?: (failure: StageFailure) => void;
  /** What `/metrics` answers; left out, there is no such path. */
  readonly metrics?: MetricsPage;
  /** Told of every answer, but for those to probes and to who reads the metrics; must not throw. */
  readonly onAnswer?: (call: AnsweredCall) => void;
}

/** A server that accepts requests. */
export interface RunningServer {
  readonly url: string;
  /** `host:port` of gRPC, where it was asked for. */
  readonly grpcAddress?: string;
  /** Stops accepting, waits for running requests at most `timeoutMs` (10 s), then cuts their connections. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** Starts to listen; rejects with AppError PORT_IN_USE, or WRONG_USAGE when an address cannot be listened on. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = '127.0.0.1', port, grpcPort } = options;
  let closing = false;
  const setting = settingOf(options, () => closing);
  const server = httpServer(setting, options.metrics);
  await listening(server, { host, port });
  const grpc = grpcPort === undefined ? undefined : await startGrpc(setting, { host, port: grpcPort }, server);
  const { address, port: boundPort } = server.address() as AddressInfo;
  let closed: Promise<unknown> | undefined;
  return {
    url: `http://${placeText({ host: address, port: boundPort })}`,
    ...(grpc !== undefined && { grpcAddress: grpc.address }),
    close: async ({ timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = {}) => {
      closing = true;
      closed ??= Promise.all([closeServer(server, timeoutMs), grpc?.close(timeoutMs)]);
      await closed;
    },
  };
}

/** Loaded when it is wanted: gRPC takes a tenth of a second to load. */
async function startGrpc(setting: ServingSetting, place: ListeningPlace, http: Server): Promise<RunningGrpcServer> {
  const { startGrpcServer } = await import('./grpc/start-grpc-server.js');
  try {
    return await startGrpcServer(setting, place);
  } catch (error) {
    http.close();
    throw error;
  }
}

function settingOf(options: ServerOptions, closing: () => boolean): ServingSetting {
  return {
    pipelines: new Map(
      options.runners.map((runner) => {
        const { name } = runner.spec;
        return [name, new ServedPipeline(runner, options.stageTypes?.get(name))];
      }),
    ),
    version: options.version,
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    token: options.token === undefined ? undefined : new BearerToken(options.token),
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    onDefect: options.onDefect ?? warnOfDefect,
    onStageFailure: options.onStageFailure ?? warnOfStageFailure,
    onAnswer: options.onAnswer ?? (() => {}),
    closing,
  };
}

function httpServer(serving: ServingSetting, page: MetricsPage | undefined): Server {
  const { requestTimeoutMs } = serving;
  const server = createServer({
    requestTimeout: requestTimeoutMs,
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    connectionsCheckingInterval: Math.min(1000, requestTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  const setting: ExchangeSetting = { ...serving, table: new RouteTable(routes(serving.version, page)) };
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

function listening(server: Server, place: ListeningPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    placeText(place);
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(refusalToListen(place, { inUse: error.code === 'EADDRINUSE', cause: error })),
    );
    server.listen(place.port, place.host, resolve);
  });
}

async function closeServer(server: Server, timeoutMs: number): Promise<void> {
  const cutOff = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(cutOff);
}
