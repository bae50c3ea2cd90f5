/** Text of a calibration: how far predictions are off, what to believe, the correction. */
import type { EstimatedValue, PipelineSpec, ServiceCorrection } from '@equipoise/core/model';
import pc from 'picocolors';
import type { CalibrationDocument } from '../calibrate/calibration-document.js';
import type { ComparedLoad } from '../calibrate/compared-loads.js';
import { type MachineUse, otherUseText } from '../calibrate/machine-use.js';
import { isOverload, MOST_RPS, SATURATING } from '../calibrate/saturation.js';
import { errorFraction, isBelowSaturation, type PredictionError } from '../calibrate/trust.js';
import { msText, rateText } from '../terminal/plan-table.js';
import { textTable } from '../terminal/text-table.js';

interface TextContext {
  readonly spec: PipelineSpec;
  readonly file: string;
  readonly dryRun: boolean;
  readonly measured: PipelineSpec;
}

export function calibrationText(document: CalibrationDocument, context: TextContext): string {
  const { plans, corrections } = document;
  const rows = plans.flatMap(({ stages, loads }) => {
    const choice = Object.values(stages)
      .flatMap((parts) => parts.slice(0, 1).map(({ variantId }) => variantId))
      .join(' · ');
    return loads.map((load, index) => [index === 0 ? choice : '', ...loadCells(load)]);
  });
  const right = (title: string) => ({ right: title });
  const columns = ['load', 'rps', 'served', 'simulated', 'from the profile', 'estimated'].map(right);
  return [
    ...busyLines(document),
    pc.dim('Latencies are p50 / p99. Simulation and estimate with the correction; percentages are errors.'),
    textTable(['variants', ...columns], rows),
    correctionTable(corrections),
    ...threadLines(corrections),
    ...trustLines(document),
    ...edgeLines(context),
    ...storedLines(document, context),
  ].join('\n');
}

/** Warning before a calibration on a busy machine. */
export function busyText(machine: MachineUse): string {
  return pc.yellow(
    `Other programs use ${otherUseText(machine)}. Calibration then takes their work for that of the pipeline: latencies and correction become too large. Press Ctrl-C, stop these programs and calibrate again; nothing is stored before the end.`,
  );
}

function busyLines({ machine }: CalibrationDocument): readonly string[] {
  if (!machine.isBusy) return [];
  return [pc.yellow(`Other programs used ${otherUseText(machine)} before the first load. Do not trust these figures.`)];
}

function loadCells(load: ComparedLoad): readonly string[] {
  const { served, simulated, simulatedFromProfile, estimated, arrivalRps } = load;
  if (isBelowSaturation(load)) {
    const off = (of: { readonly p50Ms: number | null; readonly p99Ms: number | null }) =>
      `${errorText(of.p50Ms, served.p50Ms)} / ${errorText(of.p99Ms, served.p99Ms)}`;
    const latencies = `${msText(served.p50Ms)} / ${msText(served.p99Ms)}`;
    const name = `${Math.round(100 * Number(load.load))} %`;
    return [name, rateText(arrivalRps), latencies, off(simulated), off(simulatedFromProfile), off(estimated)];
  }
  if (load.load === 'saturation') {
    const off = (rps: number) => errorText(rps, served.completedRps);
    const rates = [simulated.completedRps, simulatedFromProfile.completedRps, estimated.capacityRps].map(off);
    const missed = isOverload(load.load, served.droppedFraction) ? '' : ', not saturated';
    return ['saturation', rateText(arrivalRps), `${rateText(served.completedRps)} rps${missed}`, ...rates];
  }
  const points = (fraction: number) => `${signed(100 * (fraction - served.droppedFraction))} points`;
  const missed = isOverload(load.load, served.droppedFraction) ? '' : ', no overload';
  const dropped = `${(100 * served.droppedFraction).toFixed(1)} % dropped${missed}`;
  const off = [simulated.droppedFraction, simulatedFromProfile.droppedFraction].map(points);
  return [`${Math.round(100 * load.load)} %`, rateText(arrivalRps), dropped, ...off, ''];
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
const errorText = (predicted: number | null, served: number): string =>
  predicted === null ? 'overloaded' : `${signed(100 * errorFraction(predicted, served))} %`;

function correctionTable(corrections: CalibrationDocument['corrections']): string {
  const percent = ({ value, halfWidth }: EstimatedValue) =>
    `${signed(100 * value)} ± ${(100 * halfWidth).toFixed(0)} %`;
  const cells = ({ handOverMs, inflation, loadInflation, contention, batches }: ServiceCorrection) => [
    `${handOverMs.value.toFixed(2)} ± ${handOverMs.halfWidth.toFixed(2)} ms`,
    percent(inflation),
    percent(loadInflation),
    percent(contention),
    batches,
  ];
  const columns = ['hand-over', 'at rest', 'at full use', 'per other batch', 'batches'].map((right) => ({ right }));
  const rows = corrections.map(({ stageId, variantId, correction }) => [stageId, variantId, ...cells(correction)]);
  return rows.length === 0
    ? pc.yellow('No variant ran 100 batches, so there is no correction. Give it more time with --duration-s.')
    : textTable(['stage', 'variant', ...columns], rows);
}

/** Work of the server's thread for requests, and for the batches of each variant. */
function threadLines(corrections: CalibrationDocument['corrections']): readonly string[] {
  const ms = ({ value, halfWidth }: EstimatedValue) => `${value.toFixed(2)} ± ${halfWidth.toFixed(2)} ms`;
  const hops = corrections.flatMap(({ stageId, variantId, correction: { thread } }) =>
    thread === undefined ? [] : `${stageId} ${variantId} ${ms(thread.hopMs)}`,
  );
  const request = corrections.find(({ correction }) => correction.thread !== undefined)?.correction.thread;
  if (request === undefined) return [];
  const { arrivalMs, answerMs, refusalMs, itemMs } = request;
  return [
    `The server's thread takes ${ms(arrivalMs)} for a request, ${ms(answerMs)} for its answer, ${ms(refusalMs)} for a refusal; for a batch: ${hops.join(', ')}, and ${ms(itemMs)} for each item.`,
  ];
}

const percentOrNone = (fraction: number | null): string =>
  fraction === null ? 'unknown' : `${(100 * fraction).toFixed(0)} %`;

const latencyErrors = ({ p50MedianFraction, p99MedianFraction, worstFraction }: PredictionError): string =>
  worstFraction === null
    ? 'no latencies to compare, because it is overloaded at all loads below saturation'
    : `p50 off by ${percentOrNone(p50MedianFraction)}, p99 by ${percentOrNone(p99MedianFraction)} (medians), at worst ${percentOrNone(worstFraction)}`;

function trustLines(document: CalibrationDocument): readonly string[] {
  const { trust, machine } = document;
  const line = (name: string, errors: PredictionError) =>
    `${name}: ${latencyErrors(errors)}; saturation throughput by ${percentOrNone(errors.saturationFraction)}`;
  return [
    line('simulation with the correction', trust.simulated),
    line('simulation from the profile', trust.simulatedFromProfile),
    line('estimate with the correction', trust.estimated),
    line('estimate from the profile', trust.estimatedFromProfile),
    machine.isBusy && trust.helps ? busyBelief : beliefLine(trust),
    ...overloadLines(document),
  ];
}

function overloadLines({ trust: { isOverloaded }, plans }: CalibrationDocument): readonly string[] {
  if (isOverloaded) return [];
  const triedRps = Math.max(0, ...plans.flatMap(({ loads }) => loads.map(({ arrivalRps }) => arrivalRps)));
  const disturbed =
    'other programs slowed it down while its throughput was sought: calibrate again on a machine at rest';
  const isLimited = SATURATING * triedRps >= MOST_RPS;
  const cause = isLimited
    ? `Either the pipeline completes more than ${MOST_RPS} rps, the most that is tried, or ${disturbed}.`
    : `The highest rate was ${rateText(triedRps)} rps. Probably ${disturbed}.`;
  return [
    pc.yellow(
      `A load above saturation dropped too few requests for an overload, so throughput at saturation and drops are not known. ${cause}`,
    ),
  ];
}

/** Errors measured on a busy machine are those of other programs, too. */
const busyBelief = pc.yellow(
  'These errors do not tell how far to trust a prediction. Calibrate again on a machine at rest.',
);

function beliefLine({ simulated, estimated, helps, isOverloaded }: CalibrationDocument['trust']): string {
  if (!helps)
    return pc.yellow(
      'The correction brings the simulation no closer, or its throughput further away, so the profile stays as it is. Was the machine busy with something else?',
    );
  const closer = (simulated.p99MedianFraction ?? 0) <= (estimated.p99MedianFraction ?? Number.POSITIVE_INFINITY);
  const which = closer ? 'Prefer the simulation to the estimate' : 'The estimate is as good as the simulation here';
  const throughput = isOverloaded ? ` and ${percentOrNone(simulated.saturationFraction)} for its throughput` : '';
  return pc.bold(
    `${which}; allow ${percentOrNone(simulated.worstFraction)} for simulated latencies of this pipeline on this machine${throughput}.`,
  );
}

const MISSTATED = 0.05;

/** Fan-outs and branches that differ from the file, which no correction of service times can make good. */
function edgeLines({ spec, measured }: TextContext): readonly string[] {
  return spec.edges.flatMap((edge, index) => {
    const found = measured.edges[index];
    const name = `edge ${edge.from} to ${edge.to}`;
    const pairs = [
      ['fanOut.expected', edge.fanOut?.expected, found?.fanOut?.expected],
      ['when.probability', edge.when?.probability, found?.when?.probability],
    ] as const;
    return pairs.flatMap(([field, stated, served]) =>
      stated === undefined || served === undefined || Math.abs(served / stated - 1) < MISSTATED
        ? []
        : [
            pc.yellow(
              `${name}: ${field} is ${served.toFixed(2)} with the samples, the file says ${stated}; the comparison uses the former`,
            ),
          ],
    );
  });
}

function storedLines({ stored, trust }: CalibrationDocument, { file, dryRun }: TextContext): readonly string[] {
  if (stored)
    return [
      pc.dim(
        `The correction is stored with the profile: simulate, plan and serve use it until the variant is profiled again. \`equipoise calibrate ${file} --forget\` removes it.`,
      ),
    ];
  if (dryRun) return [pc.dim('Nothing is stored, because of --dry-run.')];
  return trust.helps
    ? [pc.dim('Nothing is stored, because the profiles of this pipeline are written in its file.')]
    : [];
}
