/** Text of a plan with its proof, or of the binding constraint with remedies. */
import {
  bindingText,
  type Certificate,
  measurementCause,
  omittedNodes,
  type PipelineSpec,
  type Plan,
  type PlanResult,
  quorumChoices,
  type StageId,
  showsSloMet,
  thresholdChoices,
  variantChoice,
} from '@equipoise/core/model';
import { type Estimator, type PolicyName, pipelineAccuracy } from '@equipoise/core/plan';
import pc from 'picocolors';
import { counted } from './counted.js';
import { coresText, costText, fractionText, planSummary, planTable } from './plan-table.js';

export interface PlanAsked {
  readonly arrivalRps: number;
  readonly policy: PolicyName;
  readonly estimator: Estimator;
}

type Feasible = Extract<PlanResult, { kind: 'feasible' }>;
type Infeasible = Exclude<PlanResult, Feasible>;

export function planText(result: PlanResult, asked: PlanAsked): string {
  return result.kind === 'feasible' ? feasibleText(result, asked) : infeasibleText(result, asked);
}

function feasibleText({ plan, certificate }: Feasible, asked: PlanAsked): string {
  const { verified } = plan;
  const unconfirmed =
    verified === undefined || showsSloMet(verified)
      ? []
      : [pc.yellow('The simulation does not confirm that this plan meets the SLO.')];
  return [planTable(plan), planSummary(plan), ...unconfirmed, pc.dim(proofText(certificate, asked))].join('\n');
}

/** `error`: root mean square error of such accuracies for measured combinations. */
export interface AccuracySource {
  readonly source: 'measured' | 'computed' | 'product';
  readonly samples?: number | undefined;
  readonly confidence95?: readonly [number, number] | undefined;
  readonly error?: number | undefined;
}

export function accuracySource(spec: PipelineSpec, { stages }: Plan): AccuracySource {
  const { modelError, productError } = spec.accuracyTable ?? {};
  const { entry } = pipelineAccuracy(spec, variantChoice(stages));
  if (entry === undefined) return { source: 'product', error: productError };
  const { samples, confidence95, measured = true } = entry;
  return measured
    ? { source: 'measured', samples, confidence95 }
    : { source: 'computed', confidence95, error: modelError };
}

const groundTexts = {
  measured: 'accuracy measured',
  computed: 'accuracy computed from measured combinations',
  product: 'accuracy is the product of the stage accuracies',
} as const;

export function accuracyText({ source, samples, confidence95, error }: AccuracySource): string {
  const intervalName = source === 'measured' ? '95 % interval' : 'interval of the model';
  return [
    `${groundTexts[source]}${samples === undefined ? '' : ` on ${counted(samples, 'sample')}`}`,
    ...(confidence95 === undefined ? [] : [`${intervalName} ${confidence95.map(fractionText).join(' to ')}`]),
    ...(error === undefined ? [] : [`error of such accuracies ${fractionText(error)} for measured combinations`]),
  ].join(', ');
}

/** Sources of the accuracies of all combinations of variants. */
export function accuraciesText(spec: PipelineSpec): string {
  const all = combinationCount(spec);
  const { combinations = [], modelError, productError } = spec.accuracyTable ?? {};
  const computed = combinations.filter(({ measured }) => measured === false).length;
  const groups = [
    ['measured', combinations.length - computed, undefined],
    ['computed from these', computed, modelError],
    [
      measurementCause(spec) === undefined ? 'products of the stage accuracies' : 'unknown, so no plan has them',
      all - combinations.length,
      productError,
    ],
  ] as const;
  const lines = groups
    .filter(([, count]) => count > 0)
    .map(([name, count, error]) => {
      const errorText = error === undefined ? '' : `, error ${fractionText(error)} for measured ones`;
      return `  ${count} of ${all} ${name}${errorText}`;
    });
  return [pc.bold('Where accuracies of combinations come from'), ...lines].join('\n');
}

/** Combinations of all stages, and of the stages left without each set that a plan may omit, at each choice. */
function combinationCount(spec: PipelineSpec): number {
  let sets: readonly (readonly StageId[])[] = [[]];
  for (const { id } of spec.stages.filter(({ optional }) => optional))
    sets = sets.flatMap((set) => [set, [...set, id]]);
  const counts = new Map<string, number>();
  for (const set of sets) {
    const gone = omittedNodes(spec, set);
    if (gone === undefined) continue;
    const left = spec.stages.filter(({ id }) => !gone.has(id));
    const edges = spec.edges.filter(({ from, to }) => !gone.has(from) && !gone.has(to));
    const choices = [
      ...left.map(({ variants }) => variants.length),
      ...left.map(({ id }) => Math.max(1, thresholdChoices({ edges }, id).length)),
      ...quorumChoices(spec).map(({ carrier, join, quorums }) =>
        gone.has(carrier) || gone.has(join) ? 1 : quorums.length,
      ),
    ];
    counts.set(
      [...gone].sort().join(' '),
      choices.reduce((count, each) => count * each, 1),
    );
  }
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** Only the default policy considers every plan. */
function proofText(certificate: Certificate, { policy, estimator }: PlanAsked): string {
  if (policy !== 'equipoise') return `${degreeOf(certificate)} by the rules of ${policy}; other plans may be better`;
  const ground =
    estimator === 'sum-of-tails' ? 'by the sum of tails, which knows no queueing' : 'for its latency estimate';
  const bound = `no plan that meets the SLO has an objective better than ${certificate.upperBound.toPrecision(4)}`;
  return `${certificate.optimal ? 'proven ' : ''}${degreeOf(certificate)} ${ground}; ${bound}`;
}

function degreeOf({ optimal, gapFraction }: Certificate): string {
  if (optimal) return 'best';
  return gapFraction < 1 ? `within ${(100 * gapFraction).toFixed(2)} % of the best` : 'the best found, not proven best';
}

function infeasibleText(result: Infeasible, { arrivalRps, policy }: PlanAsked): string {
  const { bindingConstraint, bestEffort } = result;
  const who = policy === 'equipoise' ? 'No plan' : `No plan of ${policy}`;
  const found = result.kind === 'infeasible' ? '' : pc.dim(' None was found, which does not prove that there is none.');
  const fixes = fixesText(result);
  return [
    `${pc.red(who)} meets the SLO at ${arrivalRps} rps: ${pc.bold(bindingText(bindingConstraint))}.${found}`,
    ...(fixes.length === 0 ? [adviceWithoutFix(result)] : ['Any one of these would make it feasible:']),
    ...fixes.map((fix) => `  · ${fix}`),
    ...(bestEffort === undefined ? [] : ['', 'Best effort:', planTable(bestEffort), planSummary(bestEffort)]),
  ].join('\n');
}

export interface RobustnessPrice {
  readonly serviceFactor: number;
  readonly nominal: PlanResult;
}

export function priceText({ serviceFactor, nominal }: RobustnessPrice): string {
  const now = `${robustText({ serviceFactor })}. For service times as profiled`;
  if (nominal.kind !== 'feasible') return `${now} there is no plan, either.`;
  const { pas, costPerHour, cpuCores } = nominal.plan.predicted;
  return `${now} the best plan has accuracy ${fractionText(pas)}, costs ${costText(costPerHour, cpuCores)} and takes ${coresText(cpuCores)}.`;
}

export const robustText = ({ serviceFactor }: Pick<RobustnessPrice, 'serviceFactor'>): string =>
  `robust: planned and simulated with service times × ${serviceFactor}`;

/** Each alone would make the problem feasible, if the others stay. */
function fixesText({ fixes }: Pick<Infeasible, 'fixes'>): readonly string[] {
  const { slo, budget, accuracyFloor } = fixes;
  return [
    // Rounded up: advice rounded down would not suffice.
    ...(slo === undefined ? [] : [`an SLO of ${Math.ceil(slo.latencyMs)} ms or more`]),
    ...(budget === undefined ? [] : [`a budget of ${budgetText(budget)}`]),
    ...(accuracyFloor === undefined
      ? []
      : [`an accuracy floor of ${fractionText(Math.floor(1000 * accuracyFloor) / 1000)} or less`]),
  ];
}

/** One line per change; any one is enough. */
export const needsLines = (result: Pick<Infeasible, 'fixes'>): readonly string[] =>
  fixesText(result).map((fix, i) => `${i === 0 ? 'needs' : 'or'} ${fix}`);

function budgetText({ cpuCores, memoryBytes, gpus, costPerHour }: NonNullable<Infeasible['fixes']['budget']>): string {
  return [
    coresText(cpuCores),
    ...(memoryBytes === undefined ? [] : [`memoryBytes ${memoryBytes}`]),
    ...(gpus === undefined ? [] : [`gpus ${gpus}`]),
    ...(costPerHour === undefined ? [] : [`costPerHour ${costPerHour}`]),
  ].join(', ');
}

function adviceWithoutFix({ bindingConstraint, bestEffort }: Infeasible): string {
  if (bindingConstraint === 'unmeasured-accuracy') return 'Add a combination to the accuracyTable, or remove a pin.';
  if (bindingConstraint === 'several-limits')
    return 'No single limit helps: change the latency target, the budget and any accuracy floor together. `equipoise recommend` shows how far.';
  const advice =
    'No single bound helps: allow more replicas (bounds.replicas.max), more cores each, or faster variants';
  if (bestEffort === undefined) return `${advice}.`;
  return `${advice}; or plan for less than the ${bestEffort.predicted.capacityRps.toFixed(1)} rps that the plan below can carry at most.`;
}
