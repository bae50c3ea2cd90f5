/** Reads a plan saved by `plan --json` or `plan --out`, and checks it against the pipeline. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  AppError,
  mostRouters,
  NO_PREDICTION,
  omittedNodes,
  type PipelineSpec,
  type Plan,
  quorumsOf,
  type Resources,
  type RunningPlan,
  type RunningStage,
  replicaId,
  type StageId,
  type StagePlan,
  type StageSpec,
  thresholdChoices,
} from '@equipoise/core/model';
import type { ServiceCurves } from '@equipoise/core/plan';

export interface SavedPlan {
  readonly stages: Plan['stages'];
  readonly arrivalRps?: number;
  /** Default: 1. */
  readonly routers?: number;
}

/** A simulation of more would not end. Plans may exceed the bounds of the file, which change. */
const MOST_REPLICAS = 10_000;
const MOST_BATCH_SIZE = 10_000;

/** Throws FILE_NOT_FOUND, FILE_UNREADABLE or NOT_FOUND. */
export async function readPlan(path: string, spec: PipelineSpec): Promise<SavedPlan> {
  const document = await readJson(path);
  const arrivalRps = arrivalRpsIn(document, path);
  const stages = stagesOf(stagesIn(document, path), spec, path);
  const routers = routersIn(document, path);
  return { stages, ...(arrivalRps !== undefined && { arrivalRps }), ...(routers > 1 && { routers }) };
}

/** Number of routers of a plan; 1 if the document names none. */
function routersIn(document: unknown, path: string): number {
  const plan = isObject(document) ? (document['plan'] ?? document['bestEffort'] ?? document) : undefined;
  const found = isObject(plan) ? (plan['routers'] ?? 1) : 1;
  if (typeof found === 'number' && Number.isInteger(found) && found >= 1 && found <= mostRouters) return found;
  const message = `${path}: expected routers, a whole number from 1 to ${mostRouters}, found ${JSON.stringify(found)}.`;
  throw new AppError('FILE_UNREADABLE', message, { details: { path: resolve(path) } });
}

/** The plan of a file for a simulation: its stages and routers count, not its predictions. */
export const unpredictedPlan = ({ stages, routers }: Pick<SavedPlan, 'stages' | 'routers'>): Plan => ({
  stages,
  predicted: NO_PREDICTION,
  ...(routers !== undefined && { routers }),
});

export interface NamedPlan {
  /** File, with the number of the plan if the file has several. */
  readonly name: string;
  readonly stages: Plan['stages'];
  /** Default: 1. */
  readonly routers?: number;
}

/** Reads a plan, a frontier (`points`) or a list of plans (`plans`). Throws as `readPlan` does. */
export async function readPlans(path: string, spec: PipelineSpec): Promise<readonly NamedPlan[]> {
  const document = await readJson(path);
  const list = isObject(document) ? (document['points'] ?? document['plans']) : undefined;
  if (!Array.isArray(list) || list.length === 0) return [namedPlan(document, spec, path)];
  return list.map((each: unknown, index) => namedPlan(each, spec, `${path}#${index + 1}`));
}

/** Throws AppError PROFILE_MISSING if a variant was not profiled for the cores of a saved plan. */
export function requireProfiled({ name, stages }: NamedPlan, curves: Pick<ServiceCurves, 'curve'>): void {
  for (const [id, parts] of Object.entries(stages) as [StageId, readonly StagePlan[]][])
    for (const { variantId, resources, replicas } of parts) {
      const { cpuCores } = resources;
      if (replicas === 0 || curves.curve(id, variantId, cpuCores) !== undefined) continue;
      const message = `${name}, stage ${id}: the variant ${variantId} has no profile for ${cpuCores} cores. Profile it with them, or make the plan again.`;
      throw new AppError('PROFILE_MISSING', message, { details: { stageId: id, variantId, cpuCores } });
    }
}

function namedPlan(document: unknown, spec: PipelineSpec, name: string): NamedPlan {
  const routers = routersIn(document, name);
  return { name, stages: stagesOf(stagesIn(document, name), spec, name), ...(routers > 1 && { routers }) };
}

function stagesOf(stages: JsonObject, spec: PipelineSpec, path: string): Plan['stages'] {
  const ids = spec.stages.map(({ id }) => id);
  const unknown = Object.keys(stages).filter((name) => !ids.some((id) => id === name));
  const missing = ids.filter((id) => !Object.hasOwn(stages, id));
  if (unknown.length > 0 || missing.length > 0) {
    const found = Object.keys(stages).join(', ') || 'none';
    const message = `${path} is a plan of another pipeline: it has the stages ${found}; ${spec.name} has ${ids.join(', ')}.`;
    throw new AppError('NOT_FOUND', message, { details: { path, unknown, missing } });
  }
  const plan = spec.stages.map((stage) => {
    const choices = { threshold: thresholdChoices(spec, stage.id), quorum: quorumsOf(spec, stage.id) };
    return [stage.id, stagePlans(stages[stage.id], { stage, choices, path })] as const;
  });
  checkOmitted(
    plan.flatMap(([id, [first]]) => (first?.replicas === 0 ? [id] : [])),
    spec,
    path,
  );
  return Object.fromEntries(plan);
}

/** Only optional stages, and stages that only they need, may have no replicas. */
function checkOmitted(omitted: readonly StageId[], spec: PipelineSpec, path: string): void {
  const optional = spec.stages.filter((stage) => stage.optional && omitted.includes(stage.id));
  const gone = omittedNodes(
    spec,
    optional.map(({ id }) => id),
  );
  if (omitted.every((id) => gone?.has(id))) return;
  const message = `${path} has no replicas for ${omitted.join(', ')}: expected at least 1 replica of each stage that is not optional, and a part for each join.`;
  throw new AppError('FILE_UNREADABLE', message, { details: { path: resolve(path), omitted } });
}

export async function readRunningPlan(path: string, spec: PipelineSpec): Promise<RunningPlan> {
  const { stages: planned } = await readPlan(path, spec);
  const stages = Object.entries(planned) as [StageId, readonly StagePlan[]][];
  return { stages: Object.fromEntries(stages.map(([id, parts]) => [id, runningStage(id, parts)])) };
}

function runningStage(id: StageId, parts: readonly StagePlan[]): RunningStage {
  const [first] = parts;
  const replicas = parts.flatMap(({ variantId, resources, replicas: count }) =>
    Array.from({ length: count }, (_, index) => ({
      replicaId: replicaId(`${id}-${variantId}-${index}`),
      variantId,
      resources,
      status: 'ready' as const,
    })),
  );
  return {
    ...{ replicas, maxBatchSize: first?.maxBatchSize ?? 1, maxBatchWaitMs: first?.maxBatchWaitMs ?? 0 },
    ...(first?.replicas === 0 && { omitted: true as const }),
    ...(first?.threshold !== undefined && { threshold: first.threshold }),
    ...(first?.quorum !== undefined && { quorum: first.quorum }),
  };
}

async function readJson(path: string): Promise<unknown> {
  const filePath = resolve(path);
  const details = { path: filePath };
  let text: string;
  try {
    text = await readFile(filePath, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    if (missing) throw new AppError('FILE_NOT_FOUND', `plan not found: ${filePath}`, { details, cause });
    throw new AppError('FILE_UNREADABLE', `the plan ${filePath} cannot be read: ${message}`, { details, cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('FILE_UNREADABLE', `${path} is not JSON: ${reason}`, { details, cause });
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function stagesIn(document: unknown, path: string): JsonObject {
  const whole: JsonObject = isObject(document) ? document : {};
  const plan = [whole['plan'], whole['bestEffort'], whole].find((part) => isObject(part) && isObject(part['stages']));
  if (isObject(plan) && isObject(plan['stages'])) return plan['stages'];
  const several = whole['points'] ?? whole['plans'];
  const advice = Array.isArray(several)
    ? `it is a list of ${several.length} plans; save one plan in a file of its own`
    : 'expected the output of `equipoise plan FILE --arrival-rps N --out P.json`';
  throw new AppError('FILE_UNREADABLE', `${path} is not a plan: ${advice}.`, { details: { path: resolve(path) } });
}

function arrivalRpsIn(document: unknown, path: string): number | undefined {
  const found = isObject(document) ? document['arrivalRps'] : undefined;
  if (found === undefined || (typeof found === 'number' && found >= 0)) return found;
  const message = `${path}: expected arrivalRps, a number of at least 0, found ${JSON.stringify(found)}.`;
  throw new AppError('FILE_UNREADABLE', message, { details: { path: resolve(path) } });
}

interface Place {
  readonly stage: StageSpec;
  /** From which a plan chooses. */
  readonly choices: Readonly<Record<'threshold' | 'quorum', readonly number[]>>;
  readonly path: string;
}

function stagePlans(value: unknown, at: Place): readonly StagePlan[] {
  if (!Array.isArray(value) || value.length === 0) throw wrong(at, 'expected a list of at least one variant', value);
  return value.map((part: unknown) => stagePlan(part, at));
}

function stagePlan(value: unknown, at: Place): StagePlan {
  if (!isObject(value)) throw wrong(at, 'expected a variant with its resources', value);
  const variant = at.stage.variants.find(({ id }) => id === value['variantId']);
  if (variant === undefined) {
    const known = at.stage.variants.map(({ id }) => id).join(', ');
    const message = `${at.path}, stage ${at.stage.id}: there is no variant ${String(value['variantId'])}; the pipeline has ${known}.`;
    throw new AppError('NOT_FOUND', message, { details: { stageId: at.stage.id } });
  }
  return {
    variantId: variant.id,
    resources: resourcesOf(value['resources'], at),
    maxBatchSize: batchSizeOf(value, at),
    maxBatchWaitMs: numberFrom(value, { field: 'maxBatchWaitMs', least: 0 }, at),
    replicas: replicasOf(value, at),
    trafficFraction: numberFrom(value, { field: 'trafficFraction', least: 0 }, at),
    ...choiceIn(value, 'threshold', at),
    ...choiceIn(value, 'quorum', at),
  };
}

/** A stage with several thresholds or quorums needs one of them; without one, the first counts. */
function choiceIn(value: JsonObject, name: 'threshold' | 'quorum', at: Place): Pick<StagePlan, typeof name> {
  const chosen = value[name];
  const choices = at.choices[name];
  const [first] = choices;
  if (chosen === undefined || chosen === null) return first === undefined ? {} : { [name]: first };
  if (typeof chosen === 'number' && choices.includes(chosen)) return { [name]: chosen };
  const listed = first === undefined ? `no ${name}` : `one of the ${name}s ${choices.join(', ')}`;
  throw wrong(at, `expected ${listed}`, chosen);
}

function resourcesOf(value: unknown, at: Place): Resources {
  if (!isObject(value)) throw wrong(at, 'expected resources {cpuCores, memoryBytes, gpus}', value);
  return {
    cpuCores: numberFrom(value, { field: 'cpuCores', least: 0.05 }, at),
    memoryBytes: numberFrom(value, { field: 'memoryBytes', least: 0 }, at),
    gpus: numberFrom(value, { field: 'gpus', least: 0 }, at),
  };
}

function numberFrom(from: JsonObject, { field, least }: { field: string; least: number }, at: Place): number {
  const value = from[field];
  if (typeof value === 'number' && value >= least) return value;
  throw wrong(at, `expected ${field}, a number of at least ${least}`, value);
}

function wholeNumber(from: JsonObject, field: string, at: Place, least = 1): number {
  const value = numberFrom(from, { field, least }, at);
  if (Number.isSafeInteger(value)) return value;
  throw wrong(at, `expected ${field}, a whole number`, value);
}

function replicasOf(from: JsonObject, at: Place): number {
  const count = wholeNumber(from, 'replicas', at, 0);
  const most = Math.max(MOST_REPLICAS, at.stage.bounds.maxReplicas);
  if (count <= most) return count;
  throw wrong(at, `expected replicas, at most ${most}`, count);
}

function batchSizeOf(from: JsonObject, at: Place): number {
  const size = wholeNumber(from, 'maxBatchSize', at);
  const most = Math.max(MOST_BATCH_SIZE, ...(at.stage.bounds.batchSizes ?? []));
  if (size <= most) return size;
  throw wrong(at, `expected maxBatchSize, at most ${most}`, size);
}

function wrong({ stage, path }: Place, expected: string, found: unknown): AppError {
  const message = `${path}, stage ${stage.id}: ${expected}, found ${JSON.stringify(found) ?? 'nothing'}.`;
  return new AppError('FILE_UNREADABLE', message, { details: { path: resolve(path), stageId: stage.id } });
}
