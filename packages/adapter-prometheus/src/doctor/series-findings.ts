/** Faults of series: missing, with other labels than expected, ended, or of a clock that differs. */
import type { AppError } from '@equipoise/core/model';
import { prometheusError } from '../api/http-answer.js';
import type { PrometheusApi, Sample } from '../api/prometheus-api.js';
import type { QueryFigures } from '../observe/read-figures.js';
import type { QueryTimes, Scope, SeriesQuery } from '../series/series-query.js';
import type { WatchedPipeline } from '../series/watched-pipeline.js';
import type { Finding } from './finding.js';

/** Resets of one counter within the window from which they are a fault: a rollout resets each counter once. */
const MOST_RESETS = 3;
const RESETS_WINDOW = '15m';
const MOST_NAMED = 5;
/** A scrape each millisecond of the window. */
const MOST_SAMPLES = 900_000;
/** Prometheus takes no sample that is further ahead of its clock than ten minutes; a hundred years are nonsense. */
const MOST_AHEAD_S = 3.2e9;

const implausible = ({ url }: PrometheusApi, claim: string): AppError =>
  prometheusError('not-prometheus', `what answers at ${url.href} is no Prometheus: it says that ${claim}`);

export interface SeriesQuestion {
  readonly api: PrometheusApi;
  readonly pipeline: WatchedPipeline;
  readonly times: QueryTimes;
  readonly atEpochMs?: number | undefined;
  /** Waits a scrape interval. */
  readonly pause: () => Promise<void>;
}

/** One finding for each metric with a fault. */
export async function seriesFindings(
  queries: readonly QueryFigures[],
  question: SeriesQuestion,
): Promise<readonly Finding[]> {
  const byMetric = new Map<string, QueryFigures>();
  for (const each of queries) {
    const key = `${each.query.metric} ${each.query.scope(question.pipeline, question.times).selector}`;
    if (!byMetric.has(key)) byMetric.set(key, each);
  }
  const findings: Finding[] = [];
  const idle = idleSources(queries);
  const placed = new Set(queries.flatMap(({ query, found }) => (found.length > 0 ? [query.source] : [])));
  for (const each of byMetric.values()) {
    const waits = each.problem?.kind === 'absent' && idle.has(each.query.source);
    if (!waits) findings.push(...(await metricFindings(each, question, placed.has(each.query.source))));
  }
  findings.push(...(await staleFindings([...byMetric.values()].filter(isStale), question)));
  for (const each of queries) findings.push(...(await bucketFindings(each, question)));
  return findings;
}

/** Sources that report a pipeline without requests. They write some series only after the first one. */
function idleSources(queries: readonly QueryFigures[]): ReadonlySet<string> {
  const idle = queries.filter(({ query, found }) => {
    const isLoad = query.subject === 'pipeline' && query.figure === 'arrivalRps';
    return isLoad && found.some(({ figure }) => figure.kind === 'fresh' && figure.value === 0);
  });
  return new Set(idle.map(({ query }) => query.source));
}

async function metricFindings(
  figures: QueryFigures,
  question: SeriesQuestion,
  isPlaced: boolean,
): Promise<readonly Finding[]> {
  const { query, problem } = figures;
  // Of containers without a CPU limit.
  const mayBeAbsent = query.figure === 'throttledFraction';
  if (problem?.kind === 'absent') return mayBeAbsent ? [] : [await absentFinding(query, question, isPlaced)];
  if (isStale(figures)) return [];
  return [...(await resetFindings(query, question)), ...(await futureFindings(query, question))];
}

/**
 * Reason why a metric has no series of the pipeline: labels that differ, or no series at all. `isPlaced`: other series of
 * its source are in the right namespace, so those of a pipeline of this name elsewhere are not meant.
 */
async function absentFinding(query: SeriesQuery, question: SeriesQuestion, isPlaced: boolean): Promise<Finding> {
  const { source, metric } = query;
  const { name, namespace } = question.pipeline;
  const asked: Asked = {
    metric,
    source,
    question,
    matchers: matchersOf(query.scope(question.pipeline, question.times)),
  };
  const found =
    (await renamedLabel(asked)) ?? (await otherLabel(asked)) ?? (isPlaced ? undefined : await otherNamespace(asked));
  if (found !== undefined) return found;
  const exists = (await count(question, metric)).length > 0;
  return {
    check: 'series-missing',
    severity: 'error',
    source,
    message: exists ? `${metric} has series, but none of ${name} in ${namespace}.` : `There is no series ${metric}.`,
    fix: `${MISSING_FIXES[source]} Some programs write a series only after the first request.`,
  };
}

interface Asked {
  readonly metric: string;
  readonly source: SeriesQuery['source'];
  readonly question: SeriesQuestion;
  readonly matchers: readonly Matcher[];
}

/** Labels that Prometheus renames if the scrape gives them, too. */
async function renamedLabel({ metric, source, question, matchers }: Asked): Promise<Finding | undefined> {
  const others = matchers.filter(({ label }) => !LABELS_OF_SCRAPE.has(label)).map(({ text }) => text);
  for (const { label, text } of matchers.filter((each) => LABELS_OF_SCRAPE.has(each.label))) {
    if ((await count(question, `${metric}{${[...others, `exported_${text}`].join(',')}}`)).length === 0) continue;
    return {
      ...{ check: 'label-renamed', severity: 'error', source },
      message: `${metric} has the label exported_${label} in place of ${label}, because the scrape has a label of that name, too.`,
      fix: 'Set honorLabels: true in the ServiceMonitor or PodMonitor (honor_labels of a job).',
    };
  }
  return undefined;
}

async function otherNamespace(asked: Asked): Promise<Finding | undefined> {
  const { metric, source, question, matchers } = asked;
  const { name, namespace } = question.pipeline;
  for (const { label } of matchers.filter((each) => NAMESPACE_LABELS.has(each.label))) {
    const others = await valuesWithout(asked, label);
    if (others.length === 0) continue;
    const has = others.some((value) => value !== '');
    return {
      ...{ check: 'wrong-namespace', severity: 'error', source },
      message: `${metric} of ${name} has ${has ? `${label} ${others.join(', ')}` : `no label ${label}`}, expected ${namespace}.`,
      fix: has
        ? 'Name the right namespace with --namespace, or correct the label that the job gives.'
        : `Add the label: a PodMonitor does, a job needs a relabeling from __meta_kubernetes_namespace to ${label}.`,
    };
  }
  return undefined;
}

async function otherLabel(asked: Asked): Promise<Finding | undefined> {
  const { metric, source, question, matchers } = asked;
  const { name, namespace } = question.pipeline;
  for (const { label, text } of matchers.filter((each) => !NAMESPACE_LABELS.has(each.label))) {
    const others = await valuesWithout(asked, label);
    if (others.length === 0) continue;
    const has = others.some((value) => value !== '');
    return {
      ...{ check: 'label-mismatch', severity: 'error', source },
      message: `${metric} in ${namespace} has ${has ? `${label} ${others.join(', ')}` : `no label ${label}`}, expected ${text}.`,
      fix: has
        ? `Check that the series are those of ${name}, and that no relabeling changes ${label}.`
        : `Keep or add the label ${label}: a PodMonitor adds pod, a job needs a relabeling from __meta_kubernetes_pod_name.`,
    };
  }
  return undefined;
}

const LABELS_OF_SCRAPE: ReadonlySet<string> = new Set(['namespace', 'pod', 'container', 'pipeline']);
const NAMESPACE_LABELS: ReadonlySet<string> = new Set(['namespace', 'destination_workload_namespace']);

const MISSING_FIXES: Readonly<Record<SeriesQuery['source'], string>> = {
  equipoise:
    'Check that the router is scraped, that its version has the metric (docs/reference/metrics.md), and that no metricRelabelings drop it.',
  istio:
    'Check that the pods have a sidecar or waypoint, that its metrics are scraped, and that no Telemetry object disables them.',
  'seldon-v1':
    'Scrape the executors at /prometheus, and check that the SeldonDeployment has no annotation seldon.io/no-engine.',
  'seldon-v2': 'Scrape the agents and the pipeline gateway at /metrics (port 9006).',
  kserve: 'Scrape the predictors: the annotation serving.kserve.io/enable-prometheus-scraping: "true" does.',
  mlserver: 'Scrape port 8082 of the pods with MLServer, and check that no metricRelabelings drop the metric.',
  cadvisor: 'Scrape the kubelets at /metrics/cadvisor, and check that no metricRelabelings drop the metric.',
};

/** Values of a label among series that fulfil all other matchers. */
async function valuesWithout({ metric, question, matchers }: Asked, label: string): Promise<readonly string[]> {
  const others = matchers.filter((each) => each.label !== label).map(({ text }) => text);
  const found = await count(question, `${metric}{${others.join(',')}}`, label);
  return found.map(({ labels }) => labels[label] ?? '').slice(0, MOST_NAMED);
}

function count({ api, atEpochMs }: SeriesQuestion, vector: string, by?: string): Promise<readonly Sample[]> {
  return api.query(by === undefined ? `count(${vector})` : `count by (${by}) (${vector})`, atEpochMs);
}

interface Matcher {
  readonly label: string;
  readonly text: string;
}

const matchersOf = ({ selector }: Scope): readonly Matcher[] =>
  [...selector.matchAll(/(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"/g)].map(([text, label = '']) => ({ label, text }));

const isStale = ({ found }: QueryFigures): boolean => found.some(({ figure }) => figure.kind === 'stale');

/**
 * Ended series, or series whose clock is behind: their samples are old, but new ones keep coming. At one instant both
 * look alike, so a second look follows after a pause.
 */
async function staleFindings(stale: readonly QueryFigures[], question: SeriesQuestion): Promise<readonly Finding[]> {
  if (stale.length === 0) return [];
  const newest = () => Promise.all(stale.map(({ query }) => newestS(query, question)));
  const before = await newest();
  await question.pause();
  const after = await newest();
  return stale.map((each, index) => {
    const isLate = (after[index] ?? 0) > (before[index] ?? Number.POSITIVE_INFINITY);
    return isLate ? lateFinding(each) : endedFinding(each);
  });
}

/** Time (s) of the newest sample within the look-back of Prometheus. */
async function newestS({ metric, scope }: SeriesQuery, question: SeriesQuestion): Promise<number | undefined> {
  const { api, pipeline, times, atEpochMs } = question;
  const [sample] = await api.query(`max(timestamp(${metric}{${scope(pipeline, times).selector}}))`, atEpochMs);
  return sample?.value;
}

function oldest({ found }: QueryFigures) {
  const ages = found.flatMap(({ figure }) => (figure.kind === 'stale' ? [figure] : []));
  return ages.reduce((a, b) => (a.ageMs > b.ageMs ? a : b));
}

function lateFinding(figures: QueryFigures): Finding {
  const { source, metric } = figures.query;
  const ageS = Math.round(oldest(figures).ageMs / 1000);
  return {
    ...{ check: 'clock-skew', severity: 'error', source },
    message: `New samples of ${metric} keep coming, but are ${ageS} s old when they come.`,
    fix: 'Set the clock of the machine that writes them (NTP), or honorTimestamps: false in the ServiceMonitor.',
  };
}

function endedFinding(figures: QueryFigures): Finding {
  const { source, metric } = figures.query;
  const { lastAtEpochMs, ageMs } = oldest(figures);
  const at = new Date(lastAtEpochMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const stale = figures.found.filter(({ figure }) => figure.kind === 'stale');
  const names = stale.map(({ labels }) => Object.values(labels).join(' ')).slice(0, MOST_NAMED);
  return {
    ...{ check: 'series-stale', severity: 'error', source },
    message: `${metric} of ${names.join(', ')} has no sample since ${at} (${Math.round(ageMs / 1000)} s ago).`,
    fix: 'Check that its pods run and are targets of Prometheus. The running plan stays until samples come again.',
  };
}

async function resetFindings(
  { source, metric, scope }: SeriesQuery,
  question: SeriesQuestion,
): Promise<readonly Finding[]> {
  if (!/_(total|count)$/.test(metric)) return [];
  const { api, pipeline, times, atEpochMs } = question;
  const resets = `resets(${metric}{${scope(pipeline, times).selector}}[${RESETS_WINDOW}])`;
  const [most] = await api.query(`topk(1, ${resets} >= ${MOST_RESETS})`, atEpochMs);
  if (most === undefined) return [];
  if (!(Number.isInteger(most.value) && most.value >= MOST_RESETS && most.value <= MOST_SAMPLES))
    throw implausible(api, `${metric} fell ${most.value} times within ${RESETS_WINDOW}`);
  const { pod, instance = 'one target' } = most.labels;
  return [
    {
      check: 'counter-resets',
      severity: 'error',
      source,
      message: `${metric} of ${pod ?? instance} fell ${most.value} times within ${RESETS_WINDOW}, so its rates are wrong.`,
      fix: 'Find out why its pod restarts (`kubectl describe pod`). If it does not, two processes share one target: scrape pods, not a Service.',
    },
  ];
}

async function futureFindings(
  { source, metric, scope }: SeriesQuery,
  question: SeriesQuestion,
): Promise<readonly Finding[]> {
  const { api, pipeline, times, atEpochMs } = question;
  const vector = `timestamp(${metric}{${scope(pipeline, times).selector}})`;
  const [ahead] = await api.query(`max(${vector}) - time() > ${times.staleAfterS / 2}`, atEpochMs);
  if (ahead === undefined) return [];
  if (!(ahead.value > 0 && ahead.value <= MOST_AHEAD_S))
    throw implausible(api, `samples of ${metric} are ${ahead.value} s ahead of its time`);
  return [
    {
      check: 'clock-skew',
      severity: 'error',
      source,
      message: `Samples of ${metric} are ${Math.round(ahead.value)} s ahead of the time of Prometheus.`,
      fix: 'Set the clock of the machine that writes them (NTP).',
    },
  ];
}

/** A histogram with a count, but without classic buckets. */
async function bucketFindings({ query, found }: QueryFigures, question: SeriesQuestion): Promise<readonly Finding[]> {
  const { figure, metric, source, scope } = query;
  if (figure !== 'latencyMs' || !found.some((each) => each.figure.kind === 'starting')) return [];
  const histogram = metric.replace(/_count$/, '');
  const { selector } = scope(question.pipeline, question.times);
  if ((await count(question, `${histogram}_bucket{${selector}}`)).length > 0) return [];
  return [
    {
      check: 'buckets-missing',
      severity: 'error',
      source,
      message: `${histogram} has a count but no buckets, so its percentiles are unknown.`,
      fix: 'Let no metricRelabelings drop ..._bucket. With native histograms, set scrapeClassicHistograms: true.',
    },
  ];
}
