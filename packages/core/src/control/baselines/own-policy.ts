/**
 * A policy of a user, in a module of its own. The module exports `default { name, intervalMs?, begin }`. `begin` gets the
 * pipeline and returns a function from an observation to the replicas of each stage. All answers are checked.
 */
import { thrownText } from '../../kernel/thrown-text.js';
import { AppError } from '../../model/app-error.js';
import type { StageId } from '../../model/ids.js';
import type { Plan } from '../../model/plan.js';
import {
  allowedBatchSizes,
  batchP99Ms,
  type Configuration,
  configurationOf,
  curvesOfVariant,
  stagesOf,
} from './hand-configuration.js';
import type { ObservingPolicy, PolicyInput, PolicyObservation, StageMetrics } from './observing-policy.js';

const LEAST_INTERVAL_MS = 1000;
const MOST_INTERVAL_MS = 600_000;
const LONGEST_TEXT = 200;
const NAME = /^[a-z][a-z0-9-]{0,39}$/;

/** Error of a user's policy, with its name and the fix. */
const policyError = (message: string): AppError => new AppError('POLICY_FAILED', message);

type Begin = (pipeline: unknown) => unknown;

/** A policy as its module exports it. */
export interface OwnPolicy {
  readonly name: string;
  readonly intervalMs: number;
  readonly begin: Begin;
}

const clipped = (value: unknown): string => {
  const text = typeof value === 'string' ? value : String(value);
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
};

/** Text of what a policy gave in place of `wanted`, such as "2" in place of a number. */
function shown(value: unknown, wanted: 'string' | 'number' | 'object'): string {
  if (typeof value === 'string' && wanted !== 'string') return JSON.stringify(clipped(value));
  if (typeof value === 'bigint') return `${clipped(value)}n`;
  return Array.isArray(value) ? 'a list' : clipped(value);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads the exports of a module. Throws POLICY_FAILED with the reason if they are no policy. */
export function readOwnPolicy(exports: Readonly<Record<string, unknown>>, path: string): OwnPolicy {
  const wrong = (reason: string): AppError =>
    policyError(`${path}: ${reason}. See docs/guide/experiments.md#a-policy-of-your-own for an example.`);
  const { default: policy } = exports;
  if (!isRecord(policy)) throw wrong('the module must export its policy as `default`');
  const { name, intervalMs = 10_000, begin } = policy;
  if (typeof name !== 'string' || !NAME.test(name))
    throw wrong('`name` must be 1 to 40 lower-case letters, digits and hyphens');
  if (typeof intervalMs !== 'number' || !(intervalMs >= LEAST_INTERVAL_MS && intervalMs <= MOST_INTERVAL_MS))
    throw wrong(`\`intervalMs\` must be from ${LEAST_INTERVAL_MS} to ${MOST_INTERVAL_MS}`);
  if (typeof begin !== 'function') throw wrong('`begin` must be a function');
  return { name, intervalMs, begin: begin as Begin };
}

/** The policy as an experiment runs it. */
export function ownPolicy({ name, intervalMs, begin }: OwnPolicy): ObservingPolicy {
  return {
    intervalMs,
    begin(input) {
      const menu = menuOf(input);
      const decide = called(`policy "${name}": begin`, () => begin(describedPipeline(input, menu)));
      if (typeof decide !== 'function')
        throw policyError(`policy "${name}": begin must return a function, got ${clipped(typeof decide)}.`);
      const answer = (observation: PolicyObservation): Plan['stages'] => {
        const at = `policy "${name}" at ${observation.atMs / 1000} s`;
        const said = called(at, () => (decide as (seen: unknown) => unknown)(describedObservation(observation)));
        try {
          return checkedStages(at, said, { input, menu });
        } catch (error) {
          // Reading an answer may call code of the policy.
          if (error instanceof AppError) throw error;
          throw policyError(`${at}: its answer cannot be read: ${reasonOf(error)}`);
        }
      };
      return { first: answer(firstObservation(input)), decide: answer };
    },
  };
}

function called(at: string, call: () => unknown): unknown {
  let said: unknown;
  let isPromise: boolean;
  try {
    said = call();
    isPromise = isRecord(said) && typeof said['then'] === 'function';
  } catch (error) {
    throw policyError(`${at} threw: ${reasonOf(error)}`);
  }
  if (isPromise) throw policyError(`${at} returned a promise. Answer at once, without async.`);
  return said;
}

const reasonOf = (error: unknown): string => clipped(thrownText(error));

type Menu = ReadonlyMap<string, readonly Configuration[]>;

/** All ways to run each stage. */
function menuOf({ spec, curves }: PolicyInput): Menu {
  const ways = spec.stages.map((stage): [string, readonly Configuration[]] => [
    stage.id,
    stage.variants.flatMap((variant) =>
      curvesOfVariant(curves, stage, variant).flatMap((curve) =>
        allowedBatchSizes(stage, curve).map((maxBatchSize) =>
          configurationOf(spec, { stage, variant, curve, maxBatchSize }),
        ),
      ),
    ),
  ]);
  return new Map(ways);
}

/** Copies, so that a policy cannot change what later runs get. */
function describedPipeline({ spec }: PolicyInput, menu: Menu) {
  return {
    name: spec.name,
    sloMs: spec.slo.latencyMs,
    percentile: spec.slo.percentile,
    budgetCores: spec.budget.cpuCores ?? null,
    objective: { ...spec.objective },
    stages: spec.stages.map(({ id, bounds }) => ({
      name: id,
      itemsPerRequest: menu.get(id)?.[0]?.itemsPerRequest ?? 0,
      minReplicas: bounds.minReplicas,
      maxReplicas: bounds.maxReplicas,
      options: (menu.get(id) ?? []).map(({ stage, variant, curve, maxBatchSize, itemRps }) => ({
        variant: variant.id,
        accuracy: stage.kind === 'transform' ? 1 : (variant.accuracy?.value ?? 1),
        cores: curve.cpuCores,
        batch: maxBatchSize,
        meanMs: curve.meanMs(maxBatchSize) / curve.shareFraction,
        p99Ms: batchP99Ms(curve, maxBatchSize),
        itemRps,
        startMs: variant.loadMs ?? 0,
      })),
    })),
  };
}

/** A copy, so that a policy cannot change what the experiment knows. */
const describedObservation = ({ atMs, arrivalsPerSecond, stages }: PolicyObservation) => ({
  atMs,
  arrivalsPerSecond: [...arrivalsPerSecond],
  stages: Object.fromEntries(Object.entries(stages).map(([id, metrics]) => [id, describedMetrics(metrics)])),
});

/** Figures that a platform does not measure are null. */
const describedMetrics = (metrics: StageMetrics) =>
  Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, Number.isNaN(value) ? null : value]));

/** Observation before the load begins, with the arrivals of its first ten seconds. */
function firstObservation({ spec, sampleArrivalsPerSecond }: PolicyInput): PolicyObservation {
  const idle = { queueLength: 0, inFlightItems: 0, busyFraction: 0, readyReplicas: 0, liveReplicas: 0 };
  return {
    atMs: 0,
    arrivalsPerSecond: sampleArrivalsPerSecond.slice(0, 10),
    stages: Object.fromEntries(spec.stages.map(({ id }) => [id, idle])) as PolicyObservation['stages'],
  };
}

interface Checked {
  readonly input: PolicyInput;
  readonly menu: Menu;
}

function checkedStages(at: string, said: unknown, { input: { spec }, menu }: Checked): Plan['stages'] {
  if (!isRecord(said)) throw policyError(`${at} must return one entry per stage, got ${shown(said, 'object')}.`);
  const ids: readonly StageId[] = spec.stages.map(({ id }) => id);
  const unknown = Object.keys(said).find((id) => !menu.has(id));
  if (unknown !== undefined)
    throw policyError(`${at}: stage "${clipped(unknown)}" is unknown. The stages are ${ids.join(', ')}.`);
  const chosen = ids.map((id) => checkedStage(`${at}: stage "${id}"`, said[id], menu.get(id) ?? []));
  const cores = chosen.reduce((sum, { way, replicas }) => sum + way.curve.cpuCores * replicas, 0);
  const { cpuCores: budget = Number.POSITIVE_INFINITY } = spec.budget;
  if (cores > budget + 1e-9)
    throw policyError(`${at} wants ${Number(cores.toFixed(3))} cores; the budget is ${budget}. Return fewer replicas.`);
  return stagesOf(
    chosen.map(({ way }) => way),
    chosen.map(({ replicas }) => replicas),
  );
}

function checkedStage(at: string, said: unknown, menu: readonly Configuration[]) {
  if (!isRecord(said))
    throw policyError(`${at} needs { variant, cores, batch, replicas }, got ${shown(said, 'object')}.`);
  const { variant, cores, batch, replicas } = said;
  const choose = (field: string, found: unknown, among: readonly unknown[]): AppError =>
    policyError(
      `${at}: ${field} ${shown(found, field === 'variant' ? 'string' : 'number')} is unknown. Choose one of ${[...new Set(among)].join(', ')}.`,
    );
  const ofVariant = menu.filter((way) => way.variant.id === variant);
  if (ofVariant.length === 0)
    throw choose(
      'variant',
      variant,
      menu.map((way) => way.variant.id),
    );
  const onCores = ofVariant.filter(({ curve }) => curve.cpuCores === cores);
  if (onCores.length === 0)
    throw choose(
      'cores',
      cores,
      ofVariant.map(({ curve }) => curve.cpuCores),
    );
  const way = onCores.find(({ maxBatchSize }) => maxBatchSize === batch);
  if (way === undefined)
    throw choose(
      'batch',
      batch,
      onCores.map(({ maxBatchSize }) => maxBatchSize),
    );
  const { minReplicas, maxReplicas } = way.stage.bounds;
  const least = Math.max(1, minReplicas);
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < least || replicas > maxReplicas)
    throw policyError(
      `${at}: replicas must be a whole number from ${least} to ${maxReplicas}, got ${shown(replicas, 'number')}.`,
    );
  return { way, replicas };
}
