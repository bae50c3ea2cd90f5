/** The parts that hostile clients share: connecting, sending, and counting the server's answers. */
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';

/** One attack of the corpus. */
export interface Attack {
  /** One sentence about the data that the client sends, and their size in bytes. */
  readonly does: string;
  /** The limit of the server that stops this attack. */
  readonly bound: string;
  /** Default: `rest`. */
  readonly port?: 'rest' | 'grpc' | 'admin' | 'health';
  /** `secure`: TLS and tokens. Default: `plain`. */
  readonly server?: 'plain' | 'secure';
  /**
   * Answers within the bound: HTTP statuses, `grpc-N`, `closed`. Other answers break the bound. Without a list, only
   * 5xx except 503 and 504 break it.
   */
  readonly allowed?: readonly string[];
  readonly run: (client: HostileClient) => Promise<void> | void;
}

/** Counts of one run, as an attack prints them. */
export interface AttackCounts {
  readonly connections: number;
  readonly sentBytes: number;
  readonly answers: Readonly<Record<string, number>>;
}

export const RUN = '/v1/pipelines/hostile/run';
export const INFER = '/v2/models/hostile/infer';
export const MODEL_INFER = '/inference.GRPCInferenceService/ModelInfer';
const STATUS_LINE = /HTTP\/1\.1 (\d{3})/g;
const DEFAULT_SECONDS = 3;
const ANSWER_WAIT_MS = 500;

/** Declares an attack. The declaring file is a program with the arguments HOST PORT [SECONDS]. */
export function defineAttack(fileUrl: string, attack: Attack): Attack {
  if (process.argv[1] === fileURLToPath(fileUrl)) void runAttack(attack);
  return attack;
}

async function runAttack(attack: Attack): Promise<void> {
  const [host, port, seconds = DEFAULT_SECONDS] = process.argv.slice(2);
  if (host === undefined || port === undefined) throw new Error('usage: ATTACK HOST PORT [SECONDS]');
  const client = new HostileClient(host, Number(port), {
    seconds: Number(seconds),
    isSecure: attack.server === 'secure',
  });
  // Errors of the attacker itself are only counted.
  process.on('uncaughtException', (error) => client.note(nameOf(error)));
  process.on('unhandledRejection', (error) => client.note(nameOf(error)));
  process.once('SIGTERM', () => client.end());
  await attack.run(client);
  await client.ended;
  process.stdout.write(`${JSON.stringify(client.counts())}\n`, () => process.exit(0));
}

function nameOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'closed' : code === 'ECONNREFUSED' ? 'refused' : code;
}

/** Connections of one attacker, which end with the attack. */
export class HostileClient {
  readonly host: string;
  readonly port: number;
  readonly #isSecure: boolean;
  readonly #seconds: number;
  #clock: NodeJS.Timeout | undefined;
  readonly ended: Promise<void>;
  readonly #answers: Record<string, number> = {};
  readonly #held = new Set<{ destroy(): void }>();
  readonly #sockets = new Set<Socket>();
  #connections = 0;
  #sentBytes = 0;
  #isRunning = true;
  #stop: () => void = () => undefined;

  constructor(host: string, port: number, options: { readonly seconds: number; readonly isSecure: boolean }) {
    this.host = host;
    this.port = port;
    this.#isSecure = options.isSecure;
    this.ended = new Promise((resolve) => {
      this.#stop = resolve;
    });
    this.#seconds = options.seconds;
  }

  /** An attack may need time to prepare its data, so its seconds begin with its first action. */
  #startClock(): void {
    this.#clock ??= setTimeout(() => this.end(), this.#seconds * 1000);
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  end(): void {
    this.#isRunning = false;
    for (const each of this.#held) each.destroy();
    this.#stop();
  }

  note(answer: string): void {
    if (this.#isRunning) this.#answers[answer] = (this.#answers[answer] ?? 0) + 1;
  }

  counts(): AttackCounts {
    for (const socket of this.#sockets) this.#sentBytes += socket.bytesWritten;
    return { connections: this.#connections, sentBytes: this.#sentBytes, answers: this.#answers };
  }

  /** A connection whose answers are counted, unless `reads` is false: then nothing is read from it. */
  socket({ reads = true, isRaw = false }: { readonly reads?: boolean; readonly isRaw?: boolean } = {}): Socket {
    this.#startClock();
    const at = { host: this.host, port: this.port };
    const socket =
      this.#isSecure && !isRaw
        ? connectTls({ ...at, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
        : connectTcp(at);
    this.#hold(socket, socket);
    socket.on('error', (error) => this.note(nameOf(error)));
    if (reads) {
      socket.on('data', (chunk) => {
        for (const [, status] of chunk.toString('latin1').matchAll(STATUS_LINE)) this.note(status ?? '');
      });
      socket.on('end', () => this.note('closed'));
    } else socket.pause();
    return socket;
  }

  /** An HTTP/2 connection: cleartext to the gRPC port, TLS to a secure server. */
  session(settings: { readonly initialWindowSize?: number } = {}): ClientHttp2Session {
    this.#startClock();
    const scheme = this.#isSecure ? 'https' : 'http';
    const session = connectHttp2(`${scheme}://${this.host}:${this.port}`, { rejectUnauthorized: false, settings });
    session.on('connect', (_session, socket) => this.#hold(session, socket as Socket));
    session.on('error', (error) => this.note(nameOf(error)));
    session.on('goaway', (code) => this.note(`goaway-${code}`));
    this.#held.add(session);
    return session;
  }

  /** One gRPC call with a complete message; its status is counted. */
  call(session: ClientHttp2Session, path: string, message: Uint8Array, headers: Record<string, string> = {}): void {
    if (session.destroyed || session.closed) return;
    const stream = session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      ...this.authorization(),
      ...headers,
    });
    const noteStatus = (fields: Record<string, unknown>): void => {
      const status = fields['grpc-status'] ?? (fields[':status'] === 200 ? undefined : fields[':status']);
      if (status !== undefined) this.note(`grpc-${status}`);
    };
    stream.on('response', noteStatus).on('trailers', noteStatus);
    stream.on('error', (error) => this.note(nameOf(error)));
    stream.on('close', () => stream.rstCode !== constants.NGHTTP2_NO_ERROR && this.note(`reset-${stream.rstCode}`));
    stream.resume();
    stream.end(message);
  }

  /** Runs `action` at once, and then every `everyMs` until the end. */
  async repeat(everyMs: number, action: (round: number) => Promise<void> | void): Promise<void> {
    this.#startClock();
    for (let round = 0; this.#isRunning; round++) {
      await action(round);
      await Promise.race([delay(everyMs), this.ended]);
    }
  }

  /**
   * Sends a request on each of `connections` connections and waits at most half a second for the answer. Then sends the
   * next request on a new connection, and so on until the end.
   */
  async sendInTurns(connections: number, request: (round: number) => string | Uint8Array): Promise<void> {
    let round = 0;
    const once = async (): Promise<void> => {
      const socket = this.socket();
      socket.write(request(round++));
      const answered = new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
      await Promise.race([answered, delay(ANSWER_WAIT_MS), this.ended]);
      socket.destroy();
    };
    await Promise.all(Array.from({ length: connections }, () => this.repeat(1, once)));
  }

  /** Headers with the token of a client of a secure server; otherwise none. */
  authorization(): Record<string, string> {
    const token = process.env['HOSTILE_TOKEN'];
    return this.#isSecure && token !== undefined ? { authorization: `Bearer ${token}` } : {};
  }

  #hold(held: { destroy(): void }, socket: Socket): void {
    this.#connections++;
    this.#sockets.add(socket);
    this.#held.add(held);
    socket.once('close', () => {
      this.#sentBytes += socket.bytesWritten;
      this.#sockets.delete(socket);
      this.#held.delete(held);
    });
    if (!this.#isRunning) held.destroy();
  }
}

/** An HTTP/1.1 request with a body of stated length. */
export function post(path: string, type: string, body: string | Uint8Array, headers: readonly string[] = []): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    postHead(path, [`content-type: ${type}`, `content-length: ${bytes.length}`, ...headers]),
    bytes,
  ]);
}

/** The head alone of a POST. */
export function postHead(path: string, headers: readonly string[]): Buffer {
  return Buffer.from([`POST ${path} HTTP/1.1`, 'host: a', ...headers, '', ''].join('\r\n'));
}

export function postJson(body: string, path = INFER): Buffer {
  return post(path, 'application/json', body);
}

export function get(path: string, headers: readonly string[] = []): string {
  return [`GET ${path} HTTP/1.1`, 'host: a', ...headers, '', ''].join('\r\n');
}
