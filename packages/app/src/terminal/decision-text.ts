import { diffPlans, type StepInput } from '@equipoise/core/control';
import {
  type Change,
  type Decision,
  type DecisionRecord,
  type LearnedEdge,
  type LoadObservation,
  type Observation,
  type ObservedOutcome,
  type Plan,
  type RunningPlan,
  type StageId,
  variantBehind,
} from '@equipoise/core/model';
import pc from 'picocolors';
import { counted } from './counted.js';
import { type Explained, rejectedText } from './plan-explanation.js';
import {
  choiceText,
  coresText,
  fractionText,
  msText,
  percentText,
  planSummary,
  planTable,
  rateText,
} from './plan-table.js';
import { robustText } from './plan-text.js';
import { textTable } from './text-table.js';

export interface ToldDecision {
  readonly pipelineName: string;
  readonly record: DecisionRecord;
  /** Missing if the decision cannot be explained. */
  readonly why?: Explained;
}

export const triggerTexts = {
  start: 'the start',
  plan: 'the slow loop',
  burst: 'the fast loop, a burst',
  'roll-back': 'a roll-back',
  manual: 'a person',
} as const;

export function decisionText({ pipelineName, record, why }: ToldDecision): string {
  const { id, atEpochMs, trigger, mode, observation, decision, manual, input } = record;
  const by = trigger === undefined ? '' : `, by ${triggerTexts[trigger]}`;
  const inMode = mode === undefined ? '' : `, mode ${mode}`;
  return [
    `${pc.bold(`Decision ${id}`)} of ${pc.bold(pipelineName)} at ${new Date(atEpochMs).toISOString()}${by}${inMode}`,
    ...(manual === undefined ? [] : [`by hand: ${manual.action}${because(manual.reason)}`]),
    section('Seen'),
    seenText(observation, decision),
    ...learnedTexts(decision, input as StepInput | undefined),
    section('Chosen'),
    decision === undefined ? 'no plan was changed' : chosenText(decision),
    ...passedOver(record, why),
    section('Outcome'),
    cameOfItText(record),
  ].join('\n');
}

const section = (title: string): string => `\n${pc.bold(title)}`;

const because = (reason: string | undefined): string => (reason === undefined ? '' : ` (${reason})`);

function seenText(
  { load, announced, stages, runningPlan, failedTotal = 0, changing = false, staleSources }: Observation,
  decision: Decision | undefined,
): string {
  const rows = Object.entries(runningPlan.stages).map(([id, { replicas, omitted, maxBatchSize }]) => {
    const seen = stages[id as StageId];
    return [
      id,
      omitted ? 'omitted' : replicasText(replicas),
      maxBatchSize,
      seen?.queueLength ?? '',
      seen?.droppedTotal ?? '',
    ];
  });
  const columns = ['stage', 'replicas', ...['max batch', 'waiting', 'dropped since the start'].map(right)];
  const { burst, forecast } = decision?.evidence ?? {};
  return [
    loadText(load),
    ...(announced === undefined ? [] : [`announced at the start: ${rps(announced.arrivalRps)}`]),
    ...(staleSources.length === 0 ? [] : [`no fresh input from ${staleSources.join(', ')}`]),
    ...(forecast === undefined
      ? []
      : [`expected ${rps(forecast.meanRps)}, at most ${rps(forecast.upperRps)} (${forecast.method})`]),
    ...(burst === undefined
      ? []
      : [
          `a burst: ${counted(burst.arrivals, 'request')} in ${burst.windowS} s, where ${burst.plannedArrivals.toFixed(1)} were planned for`,
        ]),
    ...(rows.length === 0 ? ['nothing runs yet'] : [textTable(columns, rows)]),
    ...(changing ? ['the changes of the previous decision were under way'] : []),
    ...(failedTotal === 0 ? [] : [`${counted(failedTotal, 'request')} failed since the start`]),
  ].join('\n');
}

function learnedTexts(decision: Decision | undefined, input: StepInput | undefined): readonly string[] {
  const corrected = correctionTable(input?.corrections ?? []);
  const edges = (decision?.evidence.learnedEdges ?? []).map(learnedEdgeText);
  return corrected.length + edges.length === 0 ? [] : [section('Learned'), ...corrected, ...edges];
}

function correctionTable(corrections: StepInput['corrections']): readonly string[] {
  if (corrections.length === 0) return [];
  const sizes = [...new Set(corrections.map(({ batchSize }) => batchSize))].sort((a, b) => a - b);
  const rows = new Map<
    string,
    { readonly name: readonly (string | number)[]; readonly factors: Map<number, number> }
  >();
  for (const { stageId, variantId, cpuCores, batchSize, factor } of corrections) {
    const key = `${stageId}/${variantId} ${cpuCores}`;
    const row = rows.get(key) ?? { name: [`${stageId}/${variantId}`, cpuCores], factors: new Map() };
    row.factors.set(batchSize, factor);
    rows.set(key, row);
  }
  const columns = ['variant', right('cores'), ...sizes.map((size) => right(`batch of ${size}`))];
  const cells = [...rows.values()].map(({ name, factors }) => [
    ...name,
    ...sizes.map((size) => (factors.has(size) ? `${factors.get(size)?.toFixed(2)} ×` : '')),
  ]);
  return ['measured service times relative to the profile', textTable(columns, cells)];
}

export function learnedEdgeText({
  from,
  to,
  kind,
  variantId,
  upstream,
  value,
  stated,
  standardError,
  outputs,
}: LearnedEdge): string {
  const edge = `${from}${variantId === undefined ? '' : ` (${variantBehind(variantId, upstream)})`} → ${to}`;
  const [learned, said, error] = [value, stated, standardError].map((of) => Number(of.toPrecision(3)));
  return kind === 'fan-out'
    ? `${edge}: ${learned} items per output (the file says ${said}; ±${error}, from ${outputs} outputs)`
    : `${edge}: taken by ${learned} of the outputs (the file says ${said}; ±${error}, from ${outputs} outputs)`;
}

const right = (title: string) => ({ right: title });

const rps = (rate: number): string => `${rateText(rate)} rps`;

function replicasText(replicas: RunningPlan['stages'][StageId]['replicas']): string {
  const kinds = new Map<string, number>();
  for (const { variantId, resources, status } of replicas) {
    const kind = `${variantId} on ${resources.cpuCores}${status === 'ready' ? '' : ` ${status}`}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...kinds].map(([kind, count]) => `${count} × ${kind}`).join(', ');
}

function loadText({ arrivalsPerSecond }: LoadObservation): string {
  const meanOf = (seconds: number) => {
    const last = arrivalsPerSecond.slice(-seconds);
    return last.length === 0 ? 0 : last.reduce((sum, count) => sum + count, 0) / last.length;
  };
  if (arrivalsPerSecond.length === 0) return 'no load yet';
  const most = Math.max(...arrivalsPerSecond.slice(-60));
  return `load: ${rps(meanOf(1))} in the last second, ${rps(meanOf(10))} over 10 s, ${rps(meanOf(60))} over 60 s, at most ${most} in one second`;
}

function chosenText(decision: Decision): string {
  const { kind, reason, evidence } = decision;
  const rate = evidence.load === undefined ? '' : ` (planned for ${rps(evidence.load.arrivalRps)})`;
  const necessary =
    evidence.necessary === undefined
      ? []
      : [evidence.necessary ? 'necessary: the running plan could not stay' : 'an improvement'];
  const robust = evidence.robustness === undefined ? [] : [robustText(evidence.robustness)];
  const lines = [`${pc.bold(kind)}: ${reason}${rate}`, ...necessary, ...robust];
  if (decision.kind === 'hold') return lines.join('\n');
  const { plan, changes } = decision;
  return [...lines, planTable(plan), planSummary(plan), ...changes.map((change) => `  · ${changeText(change)}`)].join(
    '\n',
  );
}

export function changeText(change: Change): string {
  const { stageId, to } = change;
  switch (change.kind) {
    case 'scale':
      return `${stageId}: ${change.fromReplicas} → ${counted(to.replicas, 'replica')}`;
    case 'switch-variant':
      if (to.replicas === 0) return `${stageId}: ${change.fromVariantId ?? 'nothing'} → omitted`;
      return `${stageId}: ${change.fromVariantId ?? 'nothing'} → ${to.variantId} (${counted(to.replicas, 'replica')})`;
    case 'set-batch':
      return `${stageId}: batches of at most ${to.maxBatchSize}`;
    case 'set-threshold':
      return `${stageId}: threshold ${change.fromThreshold ?? 'unset'} → ${to.threshold ?? 'unset'}`;
    case 'set-quorum':
      return `${stageId}: quorum ${change.fromQuorum ?? 'unset'} → ${to.quorum ?? 'unset'}`;
    case 'set-resources':
      return `${stageId}: ${change.fromResources.cpuCores} → ${coresText(to.resources.cpuCores)} each`;
  }
}

/** Rejected plans; for a hold, also the best plan if it was not running. */
function passedOver(
  { decision, observation }: Pick<DecisionRecord, 'decision' | 'observation'>,
  why: Explained | undefined,
): readonly string[] {
  const { passedOver: other } = decision?.evidence ?? {};
  const held = other === undefined ? [] : [`${planText(other.plan)}: ${other.reason}`];
  const isOther = decision?.kind === 'hold' && why !== undefined && !runs(observation.runningPlan, why.plan);
  const best = isOther ? [`the best plan: ${planText(why.plan)}`] : [];
  return [
    ...(held.length + best.length === 0 ? [] : [section('Passed over'), ...held, ...best]),
    ...(why === undefined ? [] : [section('Why other variants lost'), rejectedText(why)]),
  ];
}

const UNBOUND = { budget: {}, control: {} };

const runs = (running: RunningPlan, plan: Plan): boolean => diffPlans(running, plan, UNBOUND).length === 0;

const planText = (plan: Plan): string => `${choiceText(plan)}, ${figures(plan)}`;

const figures = ({ predicted: { pas, costPerHour } }: Plan): string =>
  `accuracy ${fractionText(pas)}, ${costPerHour.toFixed(2)} per hour`;

function doneText({ decision, outcome }: DecisionRecord): string {
  switch (outcome?.kind) {
    case undefined:
      return decision?.kind === 'apply' ? 'not carried out' : 'there was nothing to carry out';
    case 'applied':
      return `in force after ${outcome.tookMs.toFixed(0)} ms`;
    case 'given-up':
      return `given up: ${outcome.message}`;
    case 'failed':
      return `${outcome.step} failed: ${outcome.message}`;
  }
}

function cameOfItText(record: DecisionRecord): string {
  const { decision, observed } = record;
  const done = doneText(record);
  if (observed === undefined)
    return `${done}\nno outcome was observed yet: the loop records the first at its first tick after 10 s`;
  const plan = decision?.kind === 'apply' ? decision.plan : undefined;
  const { windowMs, arrivalRps, completed, failed, dropped, sloAttainmentFraction, latencyMs } = observed;
  const attained = (fraction: number | undefined) => (fraction === undefined ? '' : percentText(fraction));
  const rows = [
    [
      'load',
      plan === undefined ? '' : rps(decision?.evidence.load?.arrivalRps ?? decision?.evidence.forecast.upperRps ?? 0),
      rps(arrivalRps),
    ],
    [
      plan === undefined ? 'latency' : `latency p${plan.predicted.percentile}`,
      plan === undefined ? '' : msText(plan.verified?.latencyMs ?? plan.predicted.latencyMs),
      latencyMs === undefined ? '' : msText(latencyMs.atPercentile),
    ],
    ['within the SLO', attained(plan?.verified?.sloAttainmentFraction), attained(sloAttainmentFraction)],
  ];
  return [
    done,
    textTable(['', right('predicted'), right(`observed in ${Math.round(windowMs / 1000)} s`)], rows),
    `${completed} completed, ${dropped} dropped, ${failed} failed`,
    unexplainedMiss(servedPlan(record), observed),
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}

/** Plan that serves after a decision; undefined if it is not known. */
export function servedPlan({
  decision,
  observation,
  outcome,
}: Pick<DecisionRecord, 'decision' | 'observation' | 'outcome'>): Plan | undefined {
  if (decision?.kind === 'apply') return outcome?.kind === 'applied' ? decision.plan : undefined;
  const result = decision?.evidence.result;
  return result?.kind === 'feasible' && runs(observation.runningPlan, result.plan) ? result.plan : undefined;
}

/** Too few requests say nothing about a percentile. */
const FEWEST_REQUESTS = 100;
/** Fraction of its capacity up to which a plan should meet the SLO. */
const CARRIED_FRACTION = 0.8;

/**
 * Sentences about a plan that misses the SLO at a load that it should carry; undefined otherwise, or if the failed
 * requests alone explain the miss.
 */
export function unexplainedMiss(plan: Plan | undefined, observed: ObservedOutcome): string | undefined {
  const { arrivalRps, sloAttainmentFraction = 1, completed, dropped, failed } = observed;
  const unfailed = completed + dropped;
  if (plan === undefined || unfailed < FEWEST_REQUESTS) return undefined;
  const { capacityRps, percentile } = plan.predicted;
  const attainmentFraction = (sloAttainmentFraction * (unfailed + failed)) / unfailed;
  if (100 * attainmentFraction >= percentile || arrivalRps > CARRIED_FRACTION * capacityRps) return undefined;
  const what = `only ${percentText(sloAttainmentFraction)} of the requests met the SLO at ${rateText(arrivalRps)} rps`;
  const why = `although the plan can carry ${rateText(capacityRps)} rps: probably other work keeps its machine busy`;
  return `${what}, ${why}. End that work, or serve on a machine with more cores.`;
}
