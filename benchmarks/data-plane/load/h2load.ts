/** Peak throughput by h2load (Debian package nghttp2-client): clients in JavaScript are slower than the servers that they would measure. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A closed loop: `inFlight` requests are always under way. */
export interface ClosedLoad {
  /** One, or several that are asked one after another, all of them with the same body. */
  readonly urls: readonly [string, ...string[]];
  readonly body: Uint8Array;
  readonly headers: readonly string[];
  /** `h1`, or HTTP/2 with all requests over two connections. */
  readonly protocol: 'h1' | 'h2';
  readonly inFlight: number;
  readonly durationS: number;
  /** Processor of the client. */
  readonly processor: number;
}

/** Result of a run. */
export interface ClosedLoadFigures {
  readonly rps: number;
  readonly succeeded: number;
  /** Answers that were none, or no 2xx. */
  readonly unsuccessful: number;
  /** Bytes of the bodies of the answers, for each. */
  readonly answerBytes: number;
}

const H2_CONNECTIONS = 2;
const run = promisify(execFile);

/** Runs it; an Error says what to install where h2load is missing. */
export async function closedLoad(load: ClosedLoad): Promise<ClosedLoadFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-h2load-'));
  const body = join(folder, 'body');
  writeFileSync(body, load.body);
  try {
    const { stdout } = await run('taskset', ['-c', String(load.processor), 'h2load', ...argsOf(load, body)], {
      maxBuffer: 16 * 1024 ** 2,
    });
    return figuresOf(stdout);
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string };
    if (!/h2load.*No such file/.test(stderr)) throw error;
    throw new Error('h2load is missing; install the Debian package nghttp2-client.', { cause: error });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function argsOf({ urls, headers, protocol, inFlight, durationS }: ClosedLoad, body: string): readonly string[] {
  // It takes whole seconds.
  const seconds = Math.max(1, Math.round(durationS));
  const connections = protocol === 'h1' ? inFlight : H2_CONNECTIONS;
  return [
    ...(protocol === 'h1' ? ['--h1'] : ['-m', String(inFlight / H2_CONNECTIONS)]),
    ...['-c', String(connections), '-D', String(seconds), '-d', body],
    ...headers.flatMap((header) => ['-H', header]),
    ...urls,
  ];
}

function figuresOf(output: string): ClosedLoadFigures {
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const succeeded = number(/(\d+) succeeded/);
  const unsuccessful = number(/(\d+) failed/) + number(/(\d+) errored/) + number(/(\d+) timeout/);
  return {
    rps: number(/finished in [^,]+, ([\d.]+) req\/s/),
    ...{ succeeded, unsuccessful },
    answerBytes: number(/\((\d+)\) data/) / succeeded,
  };
}
