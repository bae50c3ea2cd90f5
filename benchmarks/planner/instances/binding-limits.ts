/**
 * Limits that bind. First ignores the SLO and finds the best combination of variants whose fewest stable replicas fit
 * the budget. The SLO is then set around the latency of that combination, so that latency decides which combination
 * holds.
 */
import type { PipelineSpec, StageId, VariantId } from '@equipoise/core/model';
import { requireCurves } from '@equipoise/core/plan';
import { type Draw, significant } from './draw.js';
import type { Instance } from './instance.js';
import { PlanJudge, specOf } from './plan-judge.js';
import { type Config, PlanSpace } from './plan-space.js';
import type { StageOption } from './stage-options.js';

type Choice = Readonly<Record<string, string>>;

const SHARE_STEP = 0.05;
/** An upgrade leaves at most this fraction of the latency. */
const LEAST_GAIN = 0.99;

export function withBindingLimits(draw: Draw, instance: Instance, rough: Choice): Instance {
  const drawn = specOf(instance);
  const least = leastUses(drawn, instance);
  const wanted = drawn.stages.reduce((sum, { id }) => sum + (least.get(`${id} ${rough[id]}`) ?? Number.NaN), 0);
  if (!(wanted > 0 && Number.isFinite(wanted))) return instance;
  const step = instance.coreMode === 'shares' || instance.coreMode === 'mixed' ? SHARE_STEP : 1;
  const slack = draw.chance(0.08) ? draw.uniform(0.8, 1) : draw.logUniform(1, 1.8);
  const cpuCores = Number((Math.ceil((wanted * slack) / step - 1e-9) * step).toFixed(2));
  const spec = { ...drawn, budget: { ...drawn.budget, cpuCores } };
  const best = bestWithoutSlo(spec, { arrivalRps: instance.arrivalRps, least });
  if (best === undefined) return instance;
  const space = spaceOf(spec, instance, best);
  const choices = space.stages.map((options) => options.variants.flatMap((variant) => options.of(variant)));
  if (choices.some(({ length }) => length === 0)) return instance;
  const cheapest = choices.map((options) => options[0] as StageOption);
  const fastMs = space.latencyMs(upgraded(space, { choices, from: cheapest, mostCores: cpuCores }));
  const slowMs = Math.min(space.latencyMs(cheapest), 8 * fastMs);
  const latencyMs =
    spec.objective.kind === 'max-accuracy'
      ? fastMs * draw.logUniform(0.4, 1.1)
      : slowMs * (fastMs / slowMs) ** draw.uniform(0, 0.9) * draw.logUniform(0.6, 1);
  return withLimits(instance, { latencyMs: significant(latencyMs, 3), cpuCores });
}

/** Cores of the fewest stable replicas, by stage and variant. */
function leastUses(spec: PipelineSpec, { arrivalRps, loads }: Instance): ReadonlyMap<string, number> {
  const curves = requireCurves(spec, []);
  const uses = new Map<string, number>();
  for (const { id, variants, bounds } of spec.stages)
    for (const variant of variants) {
      const ofCores = variant.cpuCores.map((cpuCores) => {
        const curve = curves.curve(id, variant.id, cpuCores);
        if (curve === undefined) return Number.POSITIVE_INFINITY;
        const sizes = (bounds.batchSizes ?? curve.batchSizes).filter((size) => size <= curve.maxBatchSize);
        const itemsPerMs = Math.max(0, ...sizes.map((size) => size / curve.meanMs(size)));
        const itemRps = arrivalRps * (loads[id]?.visits ?? 1);
        const replicas = Math.max(bounds.minReplicas, Math.ceil(itemRps / (1000 * Math.min(1, cpuCores) * itemsPerMs)));
        return replicas > bounds.maxReplicas ? Number.POSITIVE_INFINITY : replicas * cpuCores;
      });
      uses.set(`${id} ${variant.id}`, Math.min(...ofCores));
    }
  return uses;
}

/** Best combination that fits the budget when latency does not count. */
function bestWithoutSlo(
  spec: PipelineSpec,
  { arrivalRps, least }: { readonly arrivalRps: number; readonly least: ReadonlyMap<string, number> },
): Choice | undefined {
  const judge = new PlanJudge(spec, arrivalRps);
  const { objective, budget } = spec;
  const worthOf = (pas: number, cores: number): number => {
    if (objective.kind === 'max-accuracy') return pas - 1e-9 * cores;
    if (objective.kind === 'weights') return objective.accuracy * pas - objective.cost * cores;
    return pas >= objective.accuracyFloor ? -cores : Number.NEGATIVE_INFINITY;
  };
  let choices: Choice[] = [{}];
  for (const { id, variants } of spec.stages)
    choices = choices.flatMap((choice) => variants.map((variant) => ({ ...choice, [id]: variant.id })));
  let best: { readonly choice: Choice; readonly value: number } | undefined;
  for (const choice of choices) {
    const cores = spec.stages.reduce((sum, { id }) => sum + (least.get(`${id} ${choice[id]}`) ?? 0), 0);
    if (!(cores <= (budget.cpuCores ?? Number.POSITIVE_INFINITY) + 1e-9)) continue;
    const value = worthOf(judge.accuracy(choice as Readonly<Record<StageId, VariantId>>), cores);
    if (value > (best?.value ?? Number.NEGATIVE_INFINITY)) best = { choice, value };
  }
  return best?.choice;
}

/** All plans of the chosen variants within the budget. */
function spaceOf({ nodes: _, ...spec }: PipelineSpec, instance: Instance, choice: Choice): PlanSpace {
  const stages = spec.stages.map((stage) => ({ ...stage, pins: { variantId: choice[stage.id] as VariantId } }));
  return new PlanSpace(new PlanJudge({ ...spec, stages }, instance.arrivalRps), instance);
}

interface Upgrade {
  readonly choices: readonly (readonly StageOption[])[];
  readonly from: Config;
  readonly mostCores: number;
}

/** Exchanges options one by one for the fastest gain per core, within `mostCores`. */
function upgraded(space: PlanSpace, { choices, from, mostCores }: Upgrade): Config {
  let config = from;
  for (;;) {
    const latencyMs = space.latencyMs(config);
    const cores = coresOf(config);
    const upgrades = choices
      .flatMap((options, stage) => options.map((option) => config.map((old, i) => (i === stage ? option : old))))
      .filter((next) => coresOf(next) <= mostCores + 1e-9)
      .map((next) => {
        const savedMs = latencyMs * LEAST_GAIN - space.latencyMs(next);
        return { next, rate: savedMs / Math.max(0.01, coresOf(next) - cores) };
      });
    const best = upgrades.reduce((a, b) => (b.rate > a.rate ? b : a), { next: config, rate: 0 });
    if (best.rate <= 0) return config;
    config = best.next;
  }
}

const coresOf = (config: Config): number => config.reduce((sum, { cpuCores }) => sum + cpuCores, 0);

function withLimits(
  instance: Instance,
  { latencyMs, cpuCores }: { readonly latencyMs: number; readonly cpuCores: number },
): Instance {
  const spec = instance.document['spec'] as { slo: object; budget: object };
  const limited = { ...spec, slo: { ...spec.slo, latencyMs }, budget: { ...spec.budget, cpuCores } };
  return { ...instance, document: { ...instance.document, spec: limited } };
}
