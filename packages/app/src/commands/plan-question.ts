/** Turns the flags of `plan` into a planning problem. */
import type { RenderTarget } from '@equipoise/adapter-kubernetes';
import {
  AppError,
  type NodeGroup,
  type Objective,
  type PipelineSpec,
  type RouterSplit,
  routerBoundsProblems,
  routersWithinBounds,
  unevenOfConnections,
  usualCpuQuotaPeriodMs,
  usualSplit,
  usualUnevenFraction,
} from '@equipoise/core/model';
import { type Estimator, type PlanningProblem, type PolicyName, routersFor } from '@equipoise/core/plan';
import type { JoinedStream } from '@equipoise/core/simulate';
import { loadAccuracyTable, withAccuracyTable } from '@equipoise/pipeline-file';
import { loadSpec, problemLines } from '../compose/load-spec.js';
import { profilesFor } from '../compose/profiles-for.js';
import { readRunningPlan } from '../compose/read-plan.js';
import { joinedSpec, type SourceFlags } from '../compose/source-load.js';
import type { ObjectiveWeights } from '../terminal/flag-values.js';

export interface PlanOptions extends SourceFlags {
  readonly arrivalRps: number;
  readonly objective?: Objective['kind'] | 'frontier';
  readonly frontier?: boolean;
  readonly accuracyFloor?: number;
  readonly weights?: ObjectiveWeights;
  readonly sloMs?: number;
  /** Engine whose hops take a part of the SLO. */
  readonly target?: RenderTarget;
  readonly budgetCores?: number;
  readonly serviceFactor?: number;
  readonly cpuQuota?: true;
  readonly profileScale?: number;
  readonly nodeCores?: readonly number[];
  readonly accuracyTable?: string;
  readonly runningPlan?: string;
  readonly policy: PolicyName;
  readonly estimator: Estimator;
  readonly routers?: number | 'auto';
  readonly uneven?: number;
  readonly connections?: number;
  readonly verify: boolean;
  readonly explain?: boolean;
  readonly svg?: string;
  readonly out?: string;
}

/** Planning problem of the flags; `wantsFrontier` asks for the Pareto front. */
export interface PlanQuestion {
  readonly problem: PlanningProblem;
  readonly wantsFrontier: boolean;
  /** Routers to plan for, whose load is not even. */
  readonly split: RouterSplit;
  /** The requests that begin, if flags say how the parts of several sources come. */
  readonly stream?: JoinedStream | undefined;
  /** Target engine and the time (ms) of the SLO that it needs. */
  readonly engine?: { readonly target: RenderTarget; readonly overheadMs: number } | undefined;
}

const wantsFrontier = ({ frontier, objective }: PlanOptions): boolean => frontier === true || objective === 'frontier';

/** Throws WRONG_USAGE for contradictory flags. */
export async function planQuestion(file: string, options: PlanOptions): Promise<PlanQuestion> {
  const { runningPlan, accuracyTable } = options;
  const ofFile = await loadSpec(file);
  const measured = accuracyTable === undefined ? ofFile : await withTableOf(accuracyTable, ofFile);
  const { spec, stream } = await joinedSpec(applyOverrides(measured, options), options, options.arrivalRps);
  const engine = options.target && (await import('@equipoise/adapter-kubernetes')).engineFor(options.target);
  if (stream?.arrivalRps === 0) throw wrongUsage('No request begins: the parts of this load never meet.');
  const arrivalRps = stream?.arrivalRps ?? options.arrivalRps;
  return {
    split: splitOf(spec, arrivalRps, options),
    problem: {
      spec: engine?.planningSpec(spec) ?? spec,
      profiles: profilesFor(spec, file, options.profileScale),
      arrivalRps,
      estimator: options.estimator,
      clock: { nowMs: () => performance.now() },
      ...(runningPlan !== undefined && { runningPlan: await readRunningPlan(runningPlan, spec) }),
    },
    wantsFrontier: wantsFrontier(options),
    engine: engine && { target: engine.target, overheadMs: engine.overheadMs(spec) },
    stream,
  };
}

/** Throws WRONG_USAGE for flags that need several routers, or that explain only one. */
function splitOf(spec: PipelineSpec, arrivalRps: number, options: PlanOptions): RouterSplit {
  const { routers = spec.routers ?? 1, uneven = usualUnevenFraction, connections, explain } = options;
  const count =
    routers === 'auto' ? routersWithinBounds(spec, routersFor({ arrivalRps, unevenFraction: uneven })) : routers;
  const [problem] = routerBoundsProblems(spec, count);
  if (problem !== undefined) throw wrongUsage(`${problem.message}.`);
  if (count > 1 && explain)
    throw wrongUsage(`--explain explains the plan of one router, but ${count} are planned; add --routers 1.`);
  if (routers === 1 && (options.uneven ?? connections) !== undefined)
    throw wrongUsage('--uneven and --connections are about several routers; add --routers.');
  return usualSplit(count, connections === undefined ? uneven : unevenOfConnections(connections, count));
}

/** Throws WRONG_USAGE for flags that exclude each other, or that work only with a single file. */
export function checkFlags(files: readonly string[], options: PlanOptions): void {
  const { policy, explain, svg, runningPlan, frontier, objective } = options;
  const front = wantsFrontier(options);
  if (frontier === true && objective !== undefined && objective !== 'frontier')
    throw wrongUsage(`--frontier shows every trade-off, but --objective ${objective} asks for one; leave one out.`);
  if (front && policy !== 'equipoise')
    throw wrongUsage(`The frontier is found by the policy equipoise alone; leave out --policy ${policy}.`);
  if (front && explain) throw wrongUsage('--explain explains one plan, the frontier has many; leave one of them out.');
  if (front && runningPlan !== undefined)
    throw wrongUsage('The frontier does not count the cost of switching; leave out --running-plan.');
  if (explain && policy !== 'equipoise')
    throw wrongUsage(`--explain solves as the policy equipoise does; leave out --policy ${policy}.`);
  if (svg !== undefined && !front) throw wrongUsage('--svg draws the frontier; add --frontier.');
  if (files.length > 1) checkForSeveral(files.length, options);
}

/** Flags that name a file work only with a single pipeline. */
function checkForSeveral(count: number, { svg, out, runningPlan, accuracyTable }: PlanOptions): void {
  const flags = Object.entries({
    '--svg': svg,
    '--out': out,
    '--running-plan': runningPlan,
    '--accuracy-table': accuracyTable,
  });
  const [flag] = flags.find(([, value]) => value !== undefined) ?? [];
  if (flag !== undefined)
    throw wrongUsage(`${flag} belongs to one pipeline, but ${count} files were given; plan them one by one.`);
}

const wrongUsage = (message: string): AppError => new AppError('WRONG_USAGE', message);

async function withTableOf(path: string, spec: PipelineSpec): Promise<PipelineSpec> {
  const read = await loadAccuracyTable(path, spec);
  if (read.kind === 'valid') return withAccuracyTable(spec, read.table);
  const message = `${path} does not fit the pipeline:\n${problemLines(path, read.problems).join('\n')}`;
  throw new AppError('INVALID_PIPELINE', message, { details: { problems: read.problems } });
}

function applyOverrides(spec: PipelineSpec, options: PlanOptions): PipelineSpec {
  const { sloMs, budgetCores, nodeCores, serviceFactor, cpuQuota, target } = options;
  return {
    ...spec,
    slo: { ...spec.slo, ...(sloMs !== undefined && { latencyMs: sloMs }) },
    budget: { ...spec.budget, ...(budgetCores !== undefined && { cpuCores: budgetCores }) },
    objective: objectiveOf(spec, options),
    ...(serviceFactor !== undefined && { robustness: { serviceFactor } }),
    ...((cpuQuota || target !== undefined) && { cpuQuotaPeriodMs: usualCpuQuotaPeriodMs }),
    ...(nodeCores !== undefined && { nodes: nodeCores.map(nodeOfCores) }),
  };
}

const nodeOfCores = (cpuCores: number): NodeGroup => ({
  cpuCores,
  memoryBytes: Number.MAX_SAFE_INTEGER,
  gpus: Number.MAX_SAFE_INTEGER,
  count: 1,
});

function objectiveOf(spec: PipelineSpec, options: PlanOptions): Objective {
  const { accuracyFloor, weights } = options;
  const kind = objectiveKind(spec, options);
  if (accuracyFloor !== undefined && kind !== 'min-cost') throw unusedFlag('--accuracy-floor', 'min-cost', kind);
  if (weights !== undefined && kind !== 'weights') throw unusedFlag('--weights', 'weights', kind);
  if (kind === 'frontier') return { kind: 'max-accuracy' };
  if (kind === 'min-cost' && accuracyFloor !== undefined) return { kind, accuracyFloor };
  if (kind === 'weights' && weights !== undefined) return { kind, ...weights };
  if (kind === 'max-accuracy') return { kind };
  if (kind === spec.objective.kind) return spec.objective;
  throw wrongUsage(
    kind === 'min-cost'
      ? 'min-cost needs an accuracy to keep: add --accuracy-floor, 0 to 1.'
      : 'The weights objective needs --weights accuracy,cost,batch, for example --weights 2,1,1e-6.',
  );
}

function objectiveKind(spec: PipelineSpec, options: PlanOptions): Objective['kind'] | 'frontier' {
  if (wantsFrontier(options)) return 'frontier';
  if (options.objective !== undefined) return options.objective;
  if (options.weights !== undefined) return 'weights';
  return options.accuracyFloor !== undefined ? 'min-cost' : spec.objective.kind;
}

function unusedFlag(flag: string, itsObjective: string, kind: string): AppError {
  return wrongUsage(`${flag} belongs to the objective ${itsObjective}, but ${kind} was requested; omit one of them.`);
}
