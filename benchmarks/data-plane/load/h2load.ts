/**
 * Peak throughput by h2load (Debian package nghttp2-client). JavaScript clients would be slower than the measured
 * servers.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A closed loop: `inFlight` requests always run. */
export interface ClosedLoad {
  /** One URL, or several that are requested in turn with the same body. */
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
  /** Failed requests and answers without a 2xx status. */
  readonly unsuccessful: number;
  /** Mean body bytes per answer. */
  readonly answerBytes: number;
}

const H2_CONNECTIONS = 2;
const run = promisify(execFile);

/** Runs the load. If h2load is missing, throws an Error that names the package. */
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
  // h2load accepts only whole seconds.
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
