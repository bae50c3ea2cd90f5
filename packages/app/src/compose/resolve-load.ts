/**
 * The load that a user asked for, by a shipped name, a load file or a rate with a duration, as a description that core turns into arrivals.
 * `load`, `simulate` and `experiment` all ask here, so that one name means one load everywhere.
 */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { AppError } from '@equipoise/core/model';
import type { LoadSpec } from '@equipoise/core/simulate';
import { parseLoadFile } from '@equipoise/runtime';
import { parseArrivals, parseTraceSpread } from './parse-arrivals.js';

/** What a user may say of a load, as flags or in a grid file. `load` is a shipped name or a path; rate and duration describe one without a file. */
export interface LoadRequest {
  readonly load?: string;
  readonly arrivalRps?: number;
  readonly durationS?: number;
  /** A form of `--arrivals`: with a rate the shape of the load (poisson when left out), with a file the spread inside a second. */
  readonly arrivals?: string;
}

/** A load with the name it goes by in reports. */
export interface ResolvedLoad {
  readonly name: string;
  readonly spec: LoadSpec;
}

const SHIPPED_FOLDER = fileURLToPath(new URL('../../loads', import.meta.url));

/** Names of the loads that come with Equipoise. */
export function shippedLoadNames(): readonly string[] {
  const files = readdirSync(SHIPPED_FOLDER).filter((file) => file.endsWith('.csv'));
  return files.map((file) => basename(file, '.csv')).sort();
}

/** Resolves a load; AppError WRONG_USAGE, FILE_NOT_FOUND or FILE_UNREADABLE says what to write instead. */
export async function resolveLoad(request: LoadRequest): Promise<ResolvedLoad> {
  const { load, arrivalRps, durationS, arrivals = 'poisson' } = request;
  if (load !== undefined) {
    if (arrivalRps !== undefined || durationS !== undefined) {
      throw new AppError(
        'WRONG_USAGE',
        'A load file has its own rates and length: leave --arrival-rps and --duration-s out.',
      );
    }
    const spread = parseTraceSpread(arrivals);
    return { name: load, spec: { kind: 'trace', arrivalsPerSecond: await countsOf(load), spread } };
  }
  if (arrivalRps === undefined || durationS === undefined) {
    throw new AppError('WRONG_USAGE', 'Say what load: --arrival-rps N --duration-s T, or --load FILE.csv or NAME.');
  }
  const name = `${arrivals} ${arrivalRps} rps ${durationS} s`;
  return { name, spec: parseArrivals(arrivals, { arrivalRps, durationS }) };
}

/** Counts per second of a shipped load, or else of a file, which may be compressed (`.gz`). */
export async function countsOf(load: string): Promise<readonly number[]> {
  const shipped = shippedLoadNames();
  const file = shipped.includes(load) ? `${SHIPPED_FOLDER}/${load}.csv` : load;
  const bytes = await readFile(file).catch((cause: unknown) => {
    const message = `The load file ${load} cannot be read; shipped loads are ${shipped.join(', ')}.`;
    throw new AppError('FILE_NOT_FOUND', message, { cause });
  });
  return parseLoadFile((file.endsWith('.gz') ? uncompressed(bytes, load) : bytes).toString('utf8'), load);
}

function uncompressed(bytes: Buffer, load: string): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new AppError('FILE_UNREADABLE', `${load} ends in .gz but is not in the gzip format.`, { cause });
  }
}
