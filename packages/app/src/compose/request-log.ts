/** Log of finished requests: one JSON object per line, without payloads. Writing never blocks serving. */
import { close, constants, createWriteStream, open, type WriteStream, write, writev } from 'node:fs';
import { AppError } from '@equipoise/core/model';
import type { RequestTracer } from '@equipoise/runtime';
import { log } from '../terminal/log.js';

/** Bytes that wait for a slow disk or reader. Lines above this are dropped and counted. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;
/** Time after which a full pipe is tried again. */
const FULL_PIPE_MS = 20;
/** Time for the lines of the old file after a rotation. */
const ROTATION_MS = 2000;
/** `O_NONBLOCK` matters for named pipes: a thread that waited for a reader would keep the process from ending. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

type Written<T> = (error: NodeJS.ErrnoException | null, bytes: number, data: T) => void;

export class RequestLog {
  readonly #file: string;
  #stream: WriteStream;
  #dropped = 0;
  #isFailing = false;

  constructor(file: string) {
    this.#file = file;
    this.#stream = this.#open();
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes a line for each request that `tracer` sees end. */
  follow(tracer: Pick<RequestTracer, 'onEnded'>, pipeline: string): void {
    tracer.onEnded(({ request, end, endedEpochMs }) => {
      const reason = end.reason ?? end.code;
      this.write({
        at: new Date(endedEpochMs).toISOString(),
        pipeline,
        traceId: request.traceId,
        outcome: end.kind,
        ...(reason !== undefined && { reason }),
        latencyMs: Math.round(1000 * end.latencyMs) / 1000,
      });
    });
  }

  write(line: Readonly<Record<string, unknown>>): void {
    if (this.#isFailing || this.#stream.writableLength > MOST_WAITING_BYTES) this.#dropped += 1;
    else this.#stream.write(`${JSON.stringify(line)}\n`);
  }

  /** Opens the file again, for a rotated log. */
  async reopen(): Promise<true> {
    const old = this.#stream;
    this.#isFailing = false;
    this.#stream = this.#open();
    await ended(old, ROTATION_MS);
    return true;
  }

  /** Writes what waits, for at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    await ended(this.#stream, timeoutMs);
    if (this.#dropped > 0)
      log(`the request log lacks ${this.#dropped} lines: ${this.#file} took them too slowly, or not`);
  }

  #open(): WriteStream {
    const ifRoom = <T>(attempt: (done: Written<T>) => void, done: Written<T>): void =>
      attempt((error, bytes, data) => {
        if (error?.code !== 'EAGAIN' || stream.destroyed) return done(error, bytes, data);
        setTimeout(() => ifRoom(attempt, done), FULL_PIPE_MS).unref();
      });
    const stream: WriteStream = createWriteStream(this.#file, {
      mode: 0o640,
      fs: {
        close,
        open: (file: string, _flags: unknown, mode: number, done: (error: Error | null, fd: number) => void) =>
          open(file, FLAGS, mode, done),
        write: (
          fd: number,
          data: Uint8Array,
          offset: number,
          length: number,
          at: number | null,
          done: Written<Uint8Array>,
        ) => ifRoom((tried) => write(fd, data, offset, length, at, tried), done),
        writev: (fd: number, parts: Uint8Array[], at: number | null, done: Written<Uint8Array[]>) =>
          ifRoom((tried) => writev(fd, parts, at, tried), done),
      },
    });
    stream.on('error', (error) => {
      if (stream !== this.#stream) return;
      if (!this.#isFailing) log(`the request log is not written: ${error.message}; SIGHUP opens it again`);
      this.#isFailing = true;
    });
    return stream;
  }
}

/** The log of `--request-log`; undefined without the flag. AppError WRONG_USAGE if requests are not traced. */
export function requestLog(file: string | undefined, tracer: RequestTracer | undefined): RequestLog | undefined {
  if (file === undefined) return undefined;
  if (tracer !== undefined) return new RequestLog(file);
  throw new AppError(
    'WRONG_USAGE',
    '--request-log needs traces, which --trace-sample off forbids; --trace-sample 0 keeps only those of slow and failed requests.',
  );
}

/** Resolves when all lines are written, at the latest after `timeoutMs`. */
function ended(stream: WriteStream, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve();
    const timer = setTimeout(() => {
      stream.destroy();
      resolve();
    }, timeoutMs);
    stream.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    stream.end();
  });
}
