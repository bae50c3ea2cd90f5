import { cpus } from 'node:os';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import { coresOf } from '../../../packages/core/src/serve/rollout/headroom.js';
import type { ServedCase } from './cases.js';
import type { Interval, ServedPair, ServedSide } from './measure.js';

/** `loadAverages`: of the machine, before and after. */
export interface CaseResult {
  readonly of: ServedCase;
  readonly pair: ServedPair;
  readonly loadAverages: readonly number[];
}

const LEAST_SAVING = 0.25;

export function servedPage(results: readonly CaseResult[]): string {
  return `# Plans with and without a cascade or an ensemble, served

${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}. \`npm run bench:served-plans\`.

For each task: the cheapest plan with a cascade or an ensemble and the cheapest one without, for the same SLO, rate and accuracy floor. Each stage of both
may have from 0.05 cores to a whole one. Both servers run at the same time and get the same labelled samples in turns, in blocks of Poisson arrivals at
the planned rate. Intervals are 95 % bootstrap intervals: of accuracies over samples, of CPU times over blocks of ten samples, each with the mean of its
passes. The CPU time is that of the whole server. Nothing is dropped: late answers count for the accuracy, and as late.

${results.map(section).join('\n')}`;
}

function section({ of, pair, loadAverages }: CaseResult): string {
  const { plain, combined, samples, requests, accuracyGain, cpuRatio } = pair;
  const sides = [plain, combined];
  const saved = 1 - coresOfPlan(combined) / coresOfPlan(plain);
  const cpuSaved: Interval = [1 - cpuRatio[0], 1 - cpuRatio[2], 1 - cpuRatio[1]];
  const isApart = combined.cpuMs[2] < plain.cpuMs[1];
  return `## ${combined.server.spec.name}: ${of.arrivalRps} rps, accuracy of at least ${of.accuracyFloor}

${samples} samples, ${requests} requests each. The load average of the machine was ${loadAverages.map((load) => load.toFixed(1)).join(' before and ')} after.

| pipeline | plan | accuracy measured before | accuracy served | planned cores | CPU ms per request |
|---|---|---|---|---|---|
${sides.map(planRow).join('\n')}

| pipeline | p50 ms | p99 ms | within the SLO of ${plain.server.spec.slo.latencyMs} ms | failed |
|---|---|---|---|---|
${sides.map(latencyRow).join('\n')}

| figure | value | bar | |
|---|---|---|---|
| accuracy with the ${of.means} − without, same samples | ${signed(accuracyGain)} | contains 0, or above | ${verdict(accuracyGain[2] >= 0)} |
| fewer planned cores | ${percent(saved)} | ${percent(LEAST_SAVING)} | ${verdict(saved >= LEAST_SAVING)} |
| less CPU time per request | ${cpuSaved.map(percent).join(', ')} | ${percent(LEAST_SAVING)}, intervals apart | ${verdict(cpuSaved[0] >= LEAST_SAVING && isApart)} |

| pipeline | edge | share planned | share served | difference |
|---|---|---|---|---|
${sides.flatMap(shareRows).join('\n')}
`;
}

const coresOfPlan = ({ server }: ServedSide): number => coresOf(Object.values(server.stages).flat());

function planRow(side: ServedSide): string {
  const { spec, stages } = side.server;
  const expected = side.server.expectedAccuracy.toFixed(3);
  return `| ${spec.name} | ${planText(spec, stages)} | ${expected} | ${fixed(side.accuracy, 3)} | ${coresOfPlan(side).toFixed(2)} | ${fixed(side.cpuMs, 1)} |`;
}

function latencyRow({ server, latenciesMs, failed }: ServedSide): string {
  const at = (fraction: number) => latenciesMs[Math.ceil(fraction * latenciesMs.length) - 1] as number;
  const { slo, name } = server.spec;
  const inTime = latenciesMs.filter((ms) => ms <= slo.latencyMs).length / latenciesMs.length;
  return `| ${name} | ${at(0.5).toFixed(0)} | ${at(0.99).toFixed(0)} | ${(100 * inTime).toFixed(1)} % (${slo.percentile} %) | ${failed} |`;
}

const shareRows = ({ server, shares }: ServedSide): readonly string[] =>
  shares.map(
    ({ edge, planned, served }) =>
      `| ${server.spec.name} | ${edge} | ${planned.toFixed(3)} | ${served.toFixed(3)} | ${(100 * (served / planned - 1)).toFixed(1)} % |`,
  );

function planText({ stages }: PipelineSpec, planned: Plan['stages']): string {
  return stages
    .flatMap(({ id, variants, optional }) => {
      const [part] = planned[id] ?? [];
      if (part === undefined || part.replicas === 0) return [];
      if (variants.length === 1 && part.threshold === undefined) return optional ? [id] : [];
      return [`${id} ${part.variantId}${part.threshold === undefined ? '' : ` at ${part.threshold}`}`];
    })
    .join(', ');
}

const verdict = (isMet: boolean): string => (isMet ? 'met' : 'not met');
const percent = (fraction: number): string => `${(100 * fraction).toFixed(0)} %`;
const fixed = ([value, low, high]: Interval, digits: number): string =>
  `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
const signed = ([value, low, high]: Interval): string => fixed([value, low, high], 3);
