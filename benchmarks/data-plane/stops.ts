/**
 * SIGTERM to `equipoise serve` under a closed load over REST and gRPC. A server that drains answers every request that
 * it has accepted, and ends without an error.
 */
import { Agent, request as httpRequest } from 'node:http';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { type Bar, bar, told } from './bar.js';
import { type Body, floats, grpcBody, jsonBody } from './bodies.js';
import { NO_OP_PIPELINE, type Router, startRouter } from './router/router.js';

export interface StopFigures {
  readonly stops: number;
  /** Stops after which the process ended without an error. */
  readonly endedWell: number;
  readonly answered: number;
  /** Requests refused because the server was ending. Their clients may send them elsewhere. */
  readonly refused: number;
  /** Answers with another error, by status. */
  readonly failed: Readonly<Record<string, number>>;
  /** Requests without an answer on connections that the server had accepted, by error. */
  readonly unanswered: Readonly<Record<string, number>>;
  /** Requests on new connections that broke before any answer: the server had probably not accepted them. */
  readonly brokenNew: number;
}

const REST_CLIENTS = 24;
const GRPC_CALLS = 8;
const FLOATS = 16;
/** Load before the signal. */
const LOAD_MS = 400;

/** Outcomes of all stops. */
class Tally {
  answered = 0;
  refused = 0;
  brokenNew = 0;
  readonly failed: Record<string, number> = {};
  readonly unanswered: Record<string, number> = {};

  noteAnswer(status: string): void {
    if (status === '200' || status === 'grpc-0') this.answered++;
    else if (status === '503' || status === 'grpc-14') this.refused++;
    else this.failed[status] = (this.failed[status] ?? 0) + 1;
  }

  /** `isNew`: the connection has had no answer. */
  noteBreak(code: string, isNew: boolean): void {
    if (!isNew) this.unanswered[code] = (this.unanswered[code] ?? 0) + 1;
    else if (code !== 'ECONNREFUSED') this.brokenNew++;
  }
}

export async function measureStops(stops: number): Promise<StopFigures> {
  const tally = new Tally();
  let endedWell = 0;
  for (let stop = 0; stop < stops; stop++) if (await stopUnderLoad(tally)) endedWell++;
  const { answered, refused, failed, unanswered, brokenNew } = tally;
  return { stops, endedWell, answered, refused, failed, unanswered, brokenNew };
}

export function stopBars(figures: StopFigures): readonly Bar[] {
  const { stops, endedWell, answered, refused, failed, unanswered, brokenNew } = figures;
  const total = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  return [
    bar(`failed next to ${answered} answers ${JSON.stringify(failed)}`, total(failed), 0, [0, 0]),
    bar(`accepted and not answered ${JSON.stringify(unanswered)}`, total(unanswered), 0, [0, 0]),
    bar(`of ${stops} stops, not ended without an error`, stops - endedWell, 0, [0, 0]),
    told('refused because the server was ending', String(refused)),
    told('new connections that broke before an answer', String(brokenNew)),
  ];
}

/** Returns true if the process ended without an error. */
async function stopUnderLoad(tally: Tally): Promise<boolean> {
  const router = await startRouter({ stages: 1, maxBatchSize: 4 });
  const rest = new RestClients(router, tally);
  const grpc = new GrpcClient(router, tally);
  await delay(LOAD_MS);
  const endedWell = await router.close();
  await Promise.all([rest.stop(), grpc.stop()]);
  return endedWell;
}

/** Clients that each send the next request after an answer, until the server is gone. */
class RestClients {
  readonly #url: string;
  readonly #tally: Tally;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: REST_CLIENTS });
  readonly #body: Body = jsonBody(floats(FLOATS));
  readonly #ended: Promise<unknown>;
  #isOver = false;

  constructor({ url }: Router, tally: Tally) {
    this.#url = `${url}/v2/models/${NO_OP_PIPELINE}/infer`;
    this.#tally = tally;
    this.#ended = Promise.all(Array.from({ length: REST_CLIENTS }, () => this.#run()));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) if (!(await this.#send())) return;
  }

  /** False if the server accepts no connection. */
  #send(): Promise<boolean> {
    return new Promise((resolve) => {
      const headers = { 'content-type': 'application/json' };
      const request = httpRequest(this.#url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        response.resume();
        response.once('close', () => {
          if (response.complete) this.#tally.noteAnswer(String(response.statusCode));
          else this.#tally.noteBreak('cut off', false);
          resolve(true);
        });
      });
      request.once('error', (error: NodeJS.ErrnoException) => {
        this.#tally.noteBreak(error.code ?? error.message, !request.reusedSocket);
        resolve(error.code !== 'ECONNREFUSED');
      });
      request.end(this.#body.bytes);
    });
  }
}

interface Connection {
  readonly session: ClientHttp2Session;
  hasAnswers: boolean;
  /** Code of the error that ended the connection. */
  errorCode: string | undefined;
}

/** Calls on one connection, each following an answer. After a GOAWAY, later calls use a new connection. */
class GrpcClient {
  readonly #url: string;
  readonly #tally: Tally;
  readonly #message = grpcBody(NO_OP_PIPELINE, floats(FLOATS)).bytes;
  readonly #ended: Promise<unknown>;
  #connection: Connection | undefined;
  #isOver = false;

  constructor({ grpcAddress }: Router, tally: Tally) {
    this.#url = `http://${grpcAddress}`;
    this.#tally = tally;
    this.#ended = Promise.all(Array.from({ length: GRPC_CALLS }, () => this.#run()));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    this.#connection?.session.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) if (!(await this.#call(this.#open()))) return;
  }

  #open(): Connection {
    const present = this.#connection;
    if (present !== undefined && !present.session.closed && !present.session.destroyed) return present;
    const session = connect(this.#url);
    const opened: Connection = { session, hasAnswers: false, errorCode: undefined };
    session.on('goaway', () => session.close());
    session.on('error', ({ code }: NodeJS.ErrnoException) => {
      opened.errorCode = code;
      session.destroy();
    });
    this.#connection = opened;
    return opened;
  }

  /** False if the server accepts no connection. */
  #call(connection: Connection): Promise<boolean> {
    const stream = connection.session.request({
      ...{ ':method': 'POST', ':path': '/inference.GRPCInferenceService/ModelInfer' },
      ...{ 'content-type': 'application/grpc', te: 'trailers' },
    });
    let status: string | undefined;
    const note = (headers: Record<string, unknown>): void => {
      connection.hasAnswers = true;
      if (headers['grpc-status'] !== undefined) status = `grpc-${headers['grpc-status']}`;
    };
    stream.on('response', note).on('trailers', note);
    stream.on('error', () => {});
    stream.resume().end(this.#message);
    return new Promise((resolve) => {
      stream.once('close', () => {
        const isRefused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
        const { errorCode = `reset ${stream.rstCode}`, hasAnswers } = connection;
        if (status !== undefined) this.#tally.noteAnswer(status);
        else this.#tally.noteBreak(errorCode, isRefused || !hasAnswers);
        resolve(errorCode !== 'ECONNREFUSED');
      });
    });
  }
}
