/** Resolves a load by shipped name, file, or rate and duration. Commands share it, so one name means one load. */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { AppError } from '@equipoise/core/model';
import { type LoadSpec, type TraceSpread, traceSpreads } from '@equipoise/core/simulate';
import { parseLoadFile } from '@equipoise/runtime';
import { checkLoadSize, MOST_LOAD_BYTES, readLoadBytes, tooLarge } from './load-size.js';

/** Either `load` (shipped name or path), or rate and duration. */
export interface LoadRequest {
  readonly load?: string;
  readonly arrivalRps?: number;
  readonly durationS?: number;
  /** Value of `--arrivals`: shape of a rate (default poisson), or spread of a file's arrivals within a second. */
  readonly arrivals?: string;
}

export interface ResolvedLoad {
  readonly name: string;
  readonly spec: LoadSpec;
}

const SHIPPED_FOLDER = fileURLToPath(new URL('../../loads', import.meta.url));

export function shippedLoadNames(): readonly string[] {
  const files = readdirSync(SHIPPED_FOLDER).filter((file) => file.endsWith('.csv'));
  return files.map((file) => basename(file, '.csv')).sort();
}

/** Throws WRONG_USAGE, FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function resolveLoad(request: LoadRequest): Promise<ResolvedLoad> {
  const resolved = await namedLoad(request);
  checkLoadSize(resolved.spec);
  return resolved;
}

async function namedLoad(request: LoadRequest): Promise<ResolvedLoad> {
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
    throw new AppError('WRONG_USAGE', 'Name a load: --arrival-rps N --duration-s T, or --load FILE.csv or NAME.');
  }
  const name = `${arrivals} ${arrivalRps} rps ${durationS} s`;
  return { name, spec: parseArrivals(arrivals, { arrivalRps, durationS }) };
}

/** Counts of a shipped load or of a file, optionally compressed (`.gz`). */
export async function countsOf(load: string): Promise<readonly number[]> {
  const shipped = shippedLoadNames();
  const file = shipped.includes(load) ? `${SHIPPED_FOLDER}/${load}.csv` : load;
  const bytes = await readLoadBytes(file).catch((cause: unknown) => {
    if (cause instanceof AppError) throw cause;
    const message = `The load file ${load} cannot be read; shipped loads are ${shipped.join(', ')}.`;
    throw new AppError('FILE_NOT_FOUND', message, { cause });
  });
  return parseLoadFile((file.endsWith('.gz') ? uncompressed(bytes, load) : bytes).toString('utf8'), load);
}

function uncompressed(bytes: Buffer, load: string): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_LOAD_BYTES });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new AppError('FILE_UNREADABLE', tooLarge(load, MOST_LOAD_BYTES), { cause });
    throw new AppError('FILE_UNREADABLE', `${load} ends in .gz but is not in the gzip format.`, { cause });
  }
}

/** Length of a load, and the rate that factors multiply. */
interface ArrivalScale {
  readonly arrivalRps: number;
  readonly durationS: number;
}

interface ArrivalForm {
  readonly form: string;
  readonly meaning: string;
  /** Returns the load, or the error in the numbers as text. */
  read(numbers: string, scale: ArrivalScale): LoadSpec | string;
}

interface Pair {
  readonly factor: number;
  readonly seconds: number;
}

const DAY_S = 86_400;

/**
 * Forms of `--arrivals` (KIND or KIND:NUMBERS) in reference order. FACTOR multiplies `--arrival-rps`; SECONDS is a
 * duration or an instant.
 */
export const arrivalForms: Readonly<Record<Exclude<LoadSpec['kind'], 'trace' | 'dealt'>, ArrivalForm>> = {
  poisson: {
    form: 'poisson',
    meaning: 'Poisson arrivals at the rate',
    read: (numbers, scale) => (numbers === '' ? { kind: 'poisson', ...scale } : 'takes no numbers'),
  },
  deterministic: {
    form: 'deterministic',
    meaning: 'requests at equal time distances',
    read: (numbers, scale) => (numbers === '' ? { kind: 'deterministic', ...scale } : 'takes no numbers'),
  },
  gamma: {
    form: 'gamma:CV',
    meaning:
      'gamma-distributed gaps with this coefficient of variation: bursty above 1, more even than Poisson below 1',
    read: (numbers, scale) => {
      const cv = numberOf(numbers);
      return cv > 0 ? { kind: 'gamma', cv, ...scale } : 'needs a coefficient of variation above 0, such as gamma:2';
    },
  },
  mmpp: {
    form: 'mmpp:FACTOR@HOLD_S,…',
    meaning: 'states in turn; each has a rate, and a duration drawn from an exponential distribution with mean HOLD_S',
    read: (numbers, { arrivalRps, durationS }) => {
      const pairs = pairsOf(numbers);
      if (pairs === undefined || pairs.length < 2 || pairs.some(({ seconds }) => seconds === 0)) {
        return 'needs at least two states held for more than 0 s, such as mmpp:0.5@60,3@15';
      }
      const states = pairs.map(({ factor, seconds }) => ({ arrivalRps: factor * arrivalRps, meanHoldS: seconds }));
      return { kind: 'mmpp', states, durationS };
    },
  },
  'daily-cycle': {
    form: 'daily-cycle:SWING[@PERIOD_S]',
    meaning: `a cosine that starts at its lowest point; SWING is the largest deviation, as a fraction of the rate; the default period is a day (${DAY_S} s)`,
    read: (numbers, scale) => {
      const [swing = '', period = String(DAY_S), ...more] = numbers.split('@');
      const [swingFraction, periodS] = [numberOf(swing), numberOf(period)];
      return swingFraction >= 0 && swingFraction <= 1 && periodS > 0 && more.length === 0
        ? { kind: 'daily-cycle', swingFraction, periodS, ...scale }
        : 'needs a swing from 0 to 1 and, if a period, one above 0 s, such as daily-cycle:0.6@3600';
    },
  },
  step: {
    form: 'step:FACTOR@AT_S',
    meaning: 'the rate until AT_S, FACTOR times the rate from then on',
    read: (numbers, { arrivalRps, durationS }) => {
      const [pair, ...more] = pairsOf(numbers) ?? [];
      if (pair === undefined || more.length > 0) return 'needs one factor and its second, such as step:3@60';
      if (pair.seconds >= durationS) return `steps at ${pair.seconds} s, but the load ends at ${durationS} s`;
      return { kind: 'step', fromRps: arrivalRps, toRps: pair.factor * arrivalRps, atS: pair.seconds, durationS };
    },
  },
  ramp: {
    form: 'ramp:FACTOR',
    meaning: 'linear rise from the rate to FACTOR times the rate over the whole load',
    read: (numbers, { arrivalRps, durationS }) => {
      const factor = numberOf(numbers);
      return factor >= 0
        ? { kind: 'ramp', fromRps: arrivalRps, toRps: factor * arrivalRps, durationS }
        : 'needs the factor at its end, such as ramp:3';
    },
  },
  'square-wave': {
    form: 'square-wave:FACTOR@HOLD_S,…',
    meaning: 'levels in turn, each held for exactly HOLD_S; then the levels repeat',
    read: (numbers, { arrivalRps, durationS }) => {
      const pairs = pairsOf(numbers);
      if (pairs === undefined || pairs.length < 2 || pairs.some(({ seconds }) => seconds === 0)) {
        return 'needs at least two levels held for more than 0 s, such as square-wave:1@30,4@10';
      }
      const levels = pairs.map(({ factor, seconds }) => ({ arrivalRps: factor * arrivalRps, holdS: seconds }));
      return { kind: 'square-wave', levels, durationS };
    },
  },
  'piecewise-linear': {
    form: 'piecewise-linear:FACTOR@AT_S,…',
    meaning:
      'factors at ascending times, with straight lines between them; before the first and after the last time the factor is constant',
    read: readPiecewiseLinear,
  },
};

/** Throws WRONG_USAGE with the expected form. */
export function parseArrivals(text: string, scale: ArrivalScale): LoadSpec {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  if (!Object.hasOwn(arrivalForms, kind)) {
    const spreads = traceSpreads.some((spread) => spread === kind) ? '; it spreads the counts of a --load file' : '';
    const forms = Object.values(arrivalForms).map(({ form }) => form);
    throw new AppError(
      'WRONG_USAGE',
      `--arrivals ${text} is not a form of arrivals${spreads}. Known: ${forms.join(' · ')}.`,
    );
  }
  const load = arrivalForms[kind as keyof typeof arrivalForms].read(colon < 0 ? '' : text.slice(colon + 1), scale);
  if (typeof load === 'string') throw new AppError('WRONG_USAGE', `--arrivals ${text}: ${kind} ${load}.`);
  return load;
}

/** Throws WRONG_USAGE with the known spreads. */
export function parseTraceSpread(text: string): TraceSpread {
  const spread = traceSpreads.find((name) => name === text);
  if (spread !== undefined) return spread;
  const message = `--arrivals ${text} does not spread the counts of a load file; with --load it is ${traceSpreads.join(', ')}.`;
  throw new AppError('WRONG_USAGE', message);
}

function readPiecewiseLinear(numbers: string, { arrivalRps, durationS }: ArrivalScale): LoadSpec | string {
  const pairs = pairsOf(numbers);
  const [first, last] = [pairs?.[0], pairs?.at(-1)];
  const ascending = pairs?.every(({ seconds }, i) => seconds >= (pairs[i - 1]?.seconds ?? 0));
  if (pairs === undefined || first === undefined || last === undefined || ascending !== true) {
    return 'needs factors at ascending seconds, such as piecewise-linear:1@0,3@60,1@120';
  }
  if (last.seconds > durationS) return `has a point at ${last.seconds} s, but the load ends at ${durationS} s`;
  const held = [{ ...first, seconds: 0 }, ...pairs, { ...last, seconds: durationS }];
  const points = held.map(({ factor, seconds }) => ({ atS: seconds, arrivalRps: factor * arrivalRps }));
  return { kind: 'piecewise-linear', points };
}

/** Pairs of FACTOR@SECONDS,…, each number ≥ 0. */
function pairsOf(text: string): readonly Pair[] | undefined {
  const pairs = text.split(',').map((pair) => {
    const [factor = '', seconds = '', ...more] = pair.split('@');
    return { factor: numberOf(factor), seconds: more.length === 0 ? numberOf(seconds) : Number.NaN };
  });
  return pairs.every(({ factor, seconds }) => factor >= 0 && seconds >= 0) ? pairs : undefined;
}

function numberOf(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : Number.NaN;
}
