/** Parsers of flag values; invalid values are wrong usage. */
import type { SourceBehavior } from '@equipoise/core/simulate';
import { InvalidArgumentError } from 'commander';

/** Each 0 or more. */
export interface ObjectiveWeights {
  readonly accuracy: number;
  readonly cost: number;
  readonly batch: number;
}

interface Bounds {
  readonly least: number;
  readonly most?: number;
  readonly whole?: boolean;
}

type ReadNumber = (text: string) => number;

function numberWithin(expected: string, { least, most = Number.MAX_VALUE, whole = false }: Bounds): ReadNumber {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`Expected ${expected}.`);
  };
}

export const rate = numberWithin('a number of requests per second, 0 or more', { least: 0 });
export const cpuFloor = numberWithin('a number of cores from 0 to 64', { least: 0, most: 64 });

export const positiveRate = numberWithin('a number of requests per second above 0', { least: Number.MIN_VALUE });
export const positive = numberWithin('a number above 0', { least: Number.MIN_VALUE });
export const notNegative = numberWithin('a number, 0 or more', { least: 0 });
export const cores = numberWithin('a number of cores above 0', { least: Number.MIN_VALUE });
export const fraction = numberWithin('a fraction from 0 to 1', { least: 0, most: 1 });
/** Same bounds as `robustness.serviceFactor` in a pipeline file. */
export const serviceFactor = numberWithin('a factor from 1 to 10', { least: 1, most: 10 });
export const count = numberWithin('a whole number above 0', { least: 1, most: Number.MAX_SAFE_INTEGER, whole: true });
export const runCount = numberWithin('a whole number from 1 to 1000', { least: 1, most: 1000, whole: true });
/** Bounded by the limit of Node timers. */
export const timeoutMs = numberWithin('a whole number of milliseconds above 0', {
  least: 1,
  most: 2 ** 31 - 1,
  whole: true,
});
/** Number of routers, or as many as the load needs. */
export function routers(text: string): number | 'auto' {
  if (text === 'auto') return text;
  try {
    return routerCount(text);
  } catch {
    throw new InvalidArgumentError('Expected auto or a whole number from 1 to 64.');
  }
}

/** Same bounds as `routers` in a pipeline file. */
export const routerCount = numberWithin('a whole number from 1 to 64', { least: 1, most: 64, whole: true });

/** Each shard of the operators has a lease. */
export const shardCount = numberWithin('a whole number of shards from 1 to 64', { least: 1, most: 64, whole: true });

export const gapMs = numberWithin('a number of milliseconds, 0 or more', { least: 0 });
/** The seeds after the first one (`--seeds`) are exact, too. */
export const seed = numberWithin('a whole number from 0 to 9007199254739991', {
  least: 0,
  most: Number.MAX_SAFE_INTEGER - 1000,
  whole: true,
});
export const port = numberWithin('a port from 1 to 65535, or 0 for any free one', {
  least: 0,
  most: 65_535,
  whole: true,
});

/** One rate, such as `20`, or the lowest and highest, such as `5-50`. */
export function rateRange(text: string): { readonly leastRps: number; readonly mostRps: number } {
  try {
    const [leastRps = Number.NaN, mostRps = leastRps, ...more] = text.split('-').map(positiveRate);
    if (more.length === 0 && leastRps <= mostRps) return { leastRps, mostRps };
  } catch {}
  throw new InvalidArgumentError('Expected a rate above 0, or the lowest and highest one, such as 5-50.');
}

const nodeSize = numberWithin('a number of cores', { least: 0.05 });

/** Cores of machines, such as `4,4,8`. */
export function nodeCores(text: string): readonly number[] {
  try {
    return text.split(',').map(nodeSize);
  } catch {
    throw new InvalidArgumentError('Expected the cores of each machine, such as 4,4,8.');
  }
}

export function traceSample(text: string): number | 'off' {
  return text === 'off' ? text : fraction(text);
}

export function weights(text: string): ObjectiveWeights {
  const parts = text.split(',');
  const [accuracy = '', cost = '', batch = ''] = parts;
  try {
    if (parts.length === 3)
      return { accuracy: notNegative(accuracy), cost: notNegative(cost), batch: notNegative(batch) };
  } catch {
    // Reported below for all three values.
  }
  throw new InvalidArgumentError('Expected three numbers, 0 or more: accuracy,cost,batch, such as 2,1,1e-6.');
}

export interface ImageFlag {
  readonly image: string;
  /** Scope: `STAGE` or `STAGE/VARIANT`; undefined for everything. */
  readonly of?: string;
}

/** Appends `IMAGE`, `STAGE=IMAGE` or `STAGE/VARIANT=IMAGE`. */
export function images(text: string, before: readonly ImageFlag[] = []): readonly ImageFlag[] {
  const [first = '', ...rest] = text.split('=');
  const image = rest.length === 0 ? first : rest.join('=');
  if (/^\S+$/.test(image) && first !== '') return [...before, rest.length === 0 ? { image } : { image, of: first }];
  throw new InvalidArgumentError('Expected IMAGE, STAGE=IMAGE or STAGE/VARIANT=IMAGE.');
}

/** Appends `SOURCE=PATH`. */
export function sourcePaths(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, source = '', path = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (path !== '' && !Object.hasOwn(before, source)) return { ...before, [source]: path };
  throw new InvalidArgumentError('Expected SOURCE=PATH, each source once.');
}

/** Appends `SOURCE=BEHAVIOR,…` with `missing:FRACTION`, `late:FRACTION@MS` and `rps:N`. */
export function sourceBehaviors(
  text: string,
  before: Readonly<Record<string, SourceBehavior>> = {},
): Record<string, SourceBehavior> {
  const [, source = '', list = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  try {
    if (source !== '' && !Object.hasOwn(before, source))
      return { ...before, [source]: Object.assign({}, ...list.split(',').map(sourceBehavior)) };
  } catch {}
  throw new InvalidArgumentError(
    'Expected SOURCE=missing:FRACTION,late:FRACTION@MS,rps:N with at least one of them, each source once.',
  );
}

function sourceBehavior(text: string): SourceBehavior {
  const [, kind, first = '', second] = /^(missing|late|rps):([^@]+)(?:@(.+))?$/.exec(text) ?? [];
  if (kind === 'late' && second !== undefined) return { late: { fraction: fraction(first), byMs: gapMs(second) } };
  if (kind === 'missing' && second === undefined) return { missingFraction: fraction(first) };
  if (kind === 'rps' && second === undefined) return { arrivalRps: positiveRate(first) };
  throw new InvalidArgumentError('unknown');
}

export function namespace(text: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a namespace: at most 63 of a–z, 0–9 and -, a letter or digit at both ends.');
}

export function leaseName(text: string): string {
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a name of a-z, 0-9, - and ., a letter or digit at both ends.');
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Duration such as `90s`, `10m` or `1h`, in ms. */
export function durationMs(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([smh])$/.exec(text) ?? [];
  const value = Number(number) * (UNITS_MS[unit] ?? Number.NaN);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a duration such as 90s, 10m or 1h.');
}

/** Instant in ISO 8601, or in ms since 1970, as ms since 1970. */
export function instant(text: string): number {
  const epochMs = /^\d{11,}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(epochMs) && epochMs >= 0 && epochMs <= 8.64e15 && isOfCalendar(text)) return epochMs;
  throw new InvalidArgumentError('Expected a time such as 2026-03-01T12:00:00Z.');
}

/** False for a day that its month lacks, such as February 30, which `Date` takes for a day of the next month. */
function isOfCalendar(text: string): boolean {
  const [day] = /^\d{4}-\d{2}-\d{2}/.exec(text) ?? [];
  return day === undefined || new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}
