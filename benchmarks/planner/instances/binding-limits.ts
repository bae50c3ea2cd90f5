/**
 * Limits that bind: budget and SLO lie between those of the cheapest stable plan and of a fast plan of the same variants,
 * by stages that are simulated alone.
 */
import type { StageId, VariantId } from '@equipoise/core/model';
import { type Draw, significant } from './draw.js';
import type { Instance } from './draw-instance.js';
import { PlanJudge, specOf } from './plan-judge.js';
import { type Config, PlanSpace } from './plan-space.js';
import type { StageOption } from './stage-options.js';

/** Cores that the fast plan may use, as a multiple of those of the cheapest. */
const MOST_CORES = 6;
const SHARE_STEP = 0.05;
/** An upgrade leaves at most this fraction of the latency. */
const LEAST_GAIN = 0.99;

export function withBindingLimits(draw: Draw, instance: Instance, choice: Readonly<Record<string, string>>): Instance {
  const space = spaceOf(instance, choice);
  const choices = space.stages.map((options) => {
    const [variant] = options.variants;
    return variant === undefined ? [] : options.of(variant);
  });
  if (choices.some(({ length }) => length === 0)) return instance;
  const cheapest = choices.map((options) => options[0] as StageOption);
  const leastCores = coresOf(cheapest);
  const slack = draw.chance(0.1) ? draw.uniform(0.8, 1) : draw.logUniform(1, 2);
  const step = instance.coreMode === 'shares' || instance.coreMode === 'mixed' ? SHARE_STEP : 1;
  const cpuCores = Number((Math.ceil((leastCores * slack) / step - 1e-9) * step).toFixed(2));
  const fast = upgraded(space, { choices, from: cheapest, mostCores: Math.max(cpuCores, leastCores) });
  const [slowMs, fastMs] = [space.latencyMs(cheapest), space.latencyMs(fast)];
  const place = draw.uniform(-0.1, 0.85);
  const latencyMs = significant(fastMs ** (1 - place) * Math.min(slowMs, fastMs * 12) ** place, 3);
  return withLimits(instance, { latencyMs, cpuCores });
}

/** All plans of the chosen variants, without the limits of the instance. */
function spaceOf(instance: Instance, choice: Readonly<Record<string, string>>): PlanSpace {
  const { nodes: _, ...spec } = specOf(instance);
  const cpuCores = (spec.budget.cpuCores ?? 1) * MOST_CORES;
  const stages = spec.stages.map((stage) => ({
    ...stage,
    pins: { variantId: choice[stage.id as StageId] as VariantId },
  }));
  const judge = new PlanJudge(
    { ...spec, stages, budget: { cpuCores }, objective: { kind: 'max-accuracy' } },
    instance.arrivalRps,
  );
  return new PlanSpace(judge, instance);
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
