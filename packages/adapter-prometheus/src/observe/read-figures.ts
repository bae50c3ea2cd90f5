/**
 * Reads all figures of a pipeline. Values and ages of all queries come in one request, so that they have one instant. A
 * second request asks when ended series had their last sample.
 */
import { failureOf } from '../api/http-answer.js';
import type { Labels, PrometheusApi, Sample } from '../api/prometheus-api.js';
import { queriesOf } from '../series/query-table.js';
import { ageExpression, lastSeenExpression, type QueryTimes, type SeriesQuery } from '../series/series-query.js';
import type { WatchedPipeline } from '../series/watched-pipeline.js';
import type { Figure } from './figure.js';

/** One figure and the labels that name its subject. */
export interface LabelledFigure {
  readonly labels: Labels;
  readonly figure: Figure;
}

export interface QueryFigures {
  readonly query: SeriesQuery;
  readonly found: readonly LabelledFigure[];
  /** `absent` or `unknown`, if there is no figure at all. */
  readonly problem?: Figure;
}

export interface ReadOptions {
  readonly scrapeIntervalMs: number;
  /** Percentile of latencies, such as 99. */
  readonly percentile: number;
  /** Instant of the figures; default: the time of the server. */
  readonly atEpochMs?: number | undefined;
}

export interface FiguresRead {
  /** Time of the server; undefined without an answer. */
  readonly serverEpochMs: number | undefined;
  readonly queries: readonly QueryFigures[];
}

/** A rate needs two samples, and a scrape may fail. */
const INTERVALS_PER_WINDOW = 4;
/** A series is stale once its newest sample is older than this. */
const INTERVALS_UNTIL_STALE = 2;

/** A hundred years. */
const MOST_AGE_S = 3.2e9;

const timeless = ({ url }: PrometheusApi): string => `${url.href} answers, but not with its time`;

export function queryTimes({ scrapeIntervalMs, percentile }: ReadOptions): QueryTimes {
  const intervalS = scrapeIntervalMs / 1000;
  const windowS = Math.max(1, Math.ceil(INTERVALS_PER_WINDOW * intervalS));
  return { windowS, staleAfterS: INTERVALS_UNTIL_STALE * intervalS, percentile };
}

/** Never rejects: without an answer, figures are `unknown`. */
export async function readFigures(
  api: PrometheusApi,
  pipeline: WatchedPipeline,
  options: ReadOptions,
): Promise<FiguresRead> {
  const times = queryTimes(options);
  const asked = queriesOf(pipeline).map((query) => ({ query, scope: query.scope(pipeline, times) }));
  const first = await askAll(api, options.atEpochMs, [
    ['now', 'vector(time())'],
    ...asked.flatMap(({ query, scope }, index): Part[] => [
      [`value ${index}`, query.expression(scope)],
      [`age ${index}`, ageExpression(query, scope)],
    ]),
  ]);
  const last = await askAll(
    api,
    options.atEpochMs,
    asked.flatMap(({ query, scope }, index): Part[] => {
      const ages = first.get(`age ${index}`);
      const mayLack = Array.isArray(ages) && !isCovered(query, ages, pipeline);
      return mayLack ? [[`last ${index}`, lastSeenExpression(query, scope)]] : [];
    }),
  );
  const now = first.get('now');
  const serverS = Array.isArray(now) ? now[0]?.value : undefined;
  const queries = asked.map(({ query }, index): QueryFigures => {
    const [values, ages] = [first.get(`value ${index}`), first.get(`age ${index}`)];
    const failed = [values, ages, serverS === undefined ? now : undefined].find((part) => part instanceof Error);
    if (failed instanceof Error || !Array.isArray(values) || !Array.isArray(ages) || serverS === undefined) {
      return { query, found: [], problem: { kind: 'unknown', reason: failed?.message ?? timeless(api) } };
    }
    const asEnded = last.get(`last ${index}`);
    const ended = Array.isArray(asEnded) ? asEnded : [];
    const odd = [...ages, ...ended].find(({ value }) => !(Math.abs(value) <= MOST_AGE_S));
    if (odd !== undefined) {
      const reason = `what answers at ${api.url.href} is no Prometheus: it says that ${query.metric} is ${odd.value} s old`;
      return { query, found: [], problem: { kind: 'unknown', reason } };
    }
    const parts: Parts = { values, ages, ended, serverS };
    const found = figuresOf(query, parts, times.staleAfterS);
    if (found.length > 0) return { query, found };
    return { query, found, problem: { kind: 'absent', source: query.source, metric: query.metric } };
  });
  return { serverEpochMs: serverS === undefined ? undefined : serverS * 1000, queries };
}

/** True if each expected subject has a sample within the look-back. Pods may come and go, workloads may not. */
function isCovered({ subject }: SeriesQuery, ages: readonly Sample[], { workloads }: WatchedPipeline): boolean {
  return ages.length >= (subject === 'pipeline' ? 1 : workloads.length);
}

interface Parts {
  readonly values: readonly Sample[];
  readonly ages: readonly Sample[];
  readonly ended: readonly Sample[];
  readonly serverS: number;
}

function figuresOf(
  { source, metric, isZeroIfAbsent = false }: SeriesQuery,
  { values, ages, ended, serverS }: Parts,
  staleAfterS: number,
): readonly LabelledFigure[] {
  const valueByKey = new Map(values.map(({ labels, value }) => [keyOf(labels), value]));
  const ageOf = new Map([...ended, ...ages].map((sample) => [keyOf(sample.labels), sample]));
  return [...ageOf].map(([key, { labels, value: ageS }]) => {
    const age = { ageMs: Math.round(ageS * 1000), source };
    if (ageS > staleAfterS) {
      return { labels, figure: { kind: 'stale', ...age, lastAtEpochMs: Math.round((serverS - ageS) * 1000), metric } };
    }
    const value = valueByKey.get(key) ?? (isZeroIfAbsent ? 0 : undefined);
    if (value === undefined) return { labels, figure: { kind: 'starting', ...age } };
    return { labels, figure: Number.isFinite(value) ? { kind: 'fresh', value, ...age } : { kind: 'idle', ...age } };
  });
}

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).toSorted());

type Part = readonly [name: string, expression: string];

/** Label that tells the parts of a request apart. */
const PART = 'equipoise_part';

/** Answers by part. A server that refuses the whole request is asked for each part. */
async function askAll(
  api: PrometheusApi,
  atEpochMs: number | undefined,
  parts: readonly Part[],
): Promise<ReadonlyMap<string, readonly Sample[] | Error>> {
  if (parts.length === 0) return new Map();
  try {
    const union = parts.map(([name, expression]) => `label_replace(${expression}, "${PART}", "${name}", "", "")`);
    return byPart(parts, await api.query(union.join(' or '), atEpochMs));
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (!['refused', 'too-large'].includes(failureOf(error) ?? ''))
      return new Map(parts.map(([name]) => [name, error]));
    if (parts.length === 1) return new Map(parts.map(([name]) => [name, error]));
    const found = new Map<string, readonly Sample[] | Error>();
    for (const part of parts)
      for (const [name, answer] of await askAll(api, atEpochMs, [part])) found.set(name, answer);
    return found;
  }
}

function byPart(parts: readonly Part[], samples: readonly Sample[]): ReadonlyMap<string, readonly Sample[]> {
  const found = new Map<string, Sample[]>(parts.map(([name]) => [name, []]));
  for (const { labels, value } of samples) {
    const { [PART]: part = '', ...own } = labels;
    found.get(part)?.push({ labels: own, value });
  }
  return found;
}
