/** Examines the way from the pods of a pipeline to its figures, from the server to single series. */
import { AppError } from '@equipoise/core/model';
import { failureOf, prometheusError } from '../api/http-answer.js';
import type { PrometheusApi } from '../api/prometheus-api.js';
import type { RuleState } from '../api/server-state.js';
import { queryTimes, type ReadOptions, readFigures } from '../observe/read-figures.js';
import type { WatchedPipeline } from '../series/watched-pipeline.js';
import { type Finding, serverFinding } from './finding.js';
import { seriesFindings } from './series-findings.js';
import { cadvisorFindings, type ScrapedPod, targetFindings } from './target-findings.js';

export interface DoctorQuestion extends ReadOptions {
  readonly pipeline: WatchedPipeline;
  readonly pods: readonly ScrapedPod[];
  /** Time of this machine. */
  readonly nowEpochMs: () => number;
  /** Waits a scrape interval; asked only if series are old. */
  readonly pause: () => Promise<void>;
}

/** Clocks that differ by more are a fault. */
const MOST_SKEW_MS = 5_000;
/** Last instant of a `Date`. */
const MOST_EPOCH_MS = 8.64e15;
const RULE_GROUP = /^equipoise/;

/** Findings in the order of the way; a server that does not answer is the only finding. */
export async function examineSeries(api: PrometheusApi, question: DoctorQuestion): Promise<readonly Finding[]> {
  try {
    const findings = [...(await clockFindings(api, question))];
    findings.push(...(await targetsOrRules(api, question)));
    const { pipeline, atEpochMs, pause } = question;
    const { queries } = await readFigures(api, pipeline, question);
    const lost = queries.map(({ problem }) => problem).find((problem) => problem?.kind === 'unknown');
    if (lost?.kind === 'unknown') return [...findings, serverFinding('refused', lost.reason)];
    findings.push(...(await seriesFindings(queries, { api, pipeline, times: queryTimes(question), atEpochMs, pause })));
    return findings;
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined || !(error instanceof AppError)) throw error;
    return [serverFinding(failure, error.message)];
  }
}

async function clockFindings(api: PrometheusApi, { nowEpochMs }: DoctorQuestion): Promise<readonly Finding[]> {
  const askedAtMs = nowEpochMs();
  const [sample] = await api.query('vector(time())');
  const answeredAtMs = nowEpochMs();
  const serverMs = 1000 * (sample?.value ?? Number.NaN);
  if (!(serverMs >= 0 && serverMs <= MOST_EPOCH_MS)) {
    const message = `what answers at ${api.url.href} is no Prometheus: it does not know its time`;
    throw prometheusError('not-prometheus', message);
  }
  const skewMs = serverMs - (askedAtMs + answeredAtMs) / 2;
  if (Math.abs(skewMs) <= MOST_SKEW_MS + (answeredAtMs - askedAtMs) / 2) return [];
  return [
    {
      check: 'clock-skew',
      severity: 'error',
      message: `The clock of Prometheus is ${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of this machine.`,
      fix: 'Set both clocks by NTP.',
    },
  ];
}

/** Some servers with the query API have no targets and rules; their series are still examined. */
async function targetsOrRules(api: PrometheusApi, question: DoctorQuestion): Promise<readonly Finding[]> {
  const { pods, scrapeIntervalMs, pipeline } = question;
  const targets = await orNone(api.targets());
  const rules = await orNone(api.rules());
  return [
    ...(targets === undefined ? [] : targetFindings(targets, pods, scrapeIntervalMs)),
    ...(targets === undefined || !pipeline.sources.includes('cadvisor')
      ? []
      : cadvisorFindings(targets, scrapeIntervalMs)),
    ...(rules === undefined ? [] : ruleFindings(rules)),
  ];
}

async function orNone<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    const failure = failureOf(error);
    if (failure === 'not-prometheus' || failure === 'refused' || failure === 'too-large') return undefined;
    throw error;
  }
}

function ruleFindings(rules: readonly RuleState[]): readonly Finding[] {
  const own = rules.filter(({ group }) => RULE_GROUP.test(group));
  if (own.length === 0) {
    return [
      {
        check: 'rules-missing',
        severity: 'warning',
        message: 'Prometheus has no rules of Equipoise, so there are no alerts.',
        fix: 'Apply the PrometheusRule of deploy/monitoring, with the labels that the ruleSelector of your Prometheus wants; or add deploy/prometheus/*.yaml to rule_files.',
      },
    ];
  }
  return own.flatMap(({ name, group, lastError }): Finding[] => {
    if (lastError === '') return [];
    const message = `The rule ${name} of the group ${group} fails: ${lastError}.`;
    return [
      { check: 'rule-fails', severity: 'error', message, fix: 'Use the rules of the same version as the routers.' },
    ];
  });
}
