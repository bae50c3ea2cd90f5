/** Limits on loads: bytes of a load file, and requests of a load. */
import { createReadStream } from 'node:fs';
import { AppError } from '@equipoise/core/model';
import type { LoadSpec } from '@equipoise/core/simulate';

/** A simulation of so many requests takes about an hour. */
const MOST_REQUESTS = 1e9;
/** A year of seconds has about 200 MB of long lines. */
export const MOST_LOAD_BYTES = 256 * 1024 ** 2;

/** Rejects with FILE_UNREADABLE if the file has more than `MOST_LOAD_BYTES`, and with the errors of the file system. */
export async function readLoadBytes(path: string, mostBytes = MOST_LOAD_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new AppError('FILE_UNREADABLE', tooLarge(path, mostBytes));
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export const tooLarge = (path: string, mostBytes: number): string =>
  `${path} has more than ${mostBytes} bytes. A load file has one line per second; shorten it.`;

/** Throws WRONG_USAGE if the load has more than `MOST_REQUESTS`, or changes its rate more often than that. */
export function checkLoadSize(load: LoadSpec): void {
  const requests = expectedRequests(load);
  if (requests <= MOST_REQUESTS && rateChanges(load) <= MOST_REQUESTS) return;
  const about = Number.isFinite(requests) ? requests.toExponential(0) : 'too many';
  const message =
    requests > MOST_REQUESTS
      ? `The load has about ${about} requests; expected at most ${MOST_REQUESTS}. Use a lower rate or a shorter duration.`
      : `The load changes its rate more than ${MOST_REQUESTS} times. Hold each rate longer.`;
  throw new AppError('WRONG_USAGE', message);
}

/** Expected number of requests, at least; upper bound for loads whose rate varies. */
function expectedRequests(load: LoadSpec): number {
  switch (load.kind) {
    case 'poisson':
    case 'deterministic':
    case 'daily-cycle':
      return load.arrivalRps * load.durationS;
    case 'gamma':
      // Mean of the renewal function, which begins with a request (Cox, Renewal Theory, 1962, §4.2).
      return load.arrivalRps * load.durationS + Math.max(0, load.cv ** 2 - 1) / 2;
    case 'mmpp':
      return load.durationS * Math.max(...load.states.map(({ arrivalRps }) => arrivalRps));
    case 'step':
    case 'ramp':
      return load.durationS * Math.max(load.fromRps, load.toRps);
    case 'square-wave':
      return load.durationS * Math.max(...load.levels.map(({ arrivalRps }) => arrivalRps));
    case 'piecewise-linear':
      return (load.points.at(-1)?.atS ?? 0) * Math.max(...load.points.map(({ arrivalRps }) => arrivalRps));
    case 'trace':
      return load.arrivalsPerSecond.reduce((sum, count) => sum + count, 0);
    case 'dealt':
      return expectedRequests(load.load);
  }
}

function rateChanges(load: LoadSpec): number {
  if (load.kind === 'mmpp') return load.durationS / Math.min(...load.states.map(({ meanHoldS }) => meanHoldS));
  if (load.kind === 'square-wave') return load.durationS / Math.min(...load.levels.map(({ holdS }) => holdS));
  return 0;
}
