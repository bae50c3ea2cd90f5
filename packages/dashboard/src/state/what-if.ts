/** The assumptions of a what-if question. */
import type { PipelineFacts, StagePins } from '../api/answers.js';

export interface Assumptions {
  readonly arrivalRps: number;
  readonly sloLatencyMs: number;
  /** Undefined if the pipeline has no core budget. */
  readonly budgetCpuCores: number | undefined;
  readonly pins: Readonly<Record<string, StagePins>>;
}

interface Limits {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

export type AssumptionLimits = Readonly<Record<'arrivalRps' | 'sloLatencyMs' | 'budgetCpuCores', Limits>>;

/** Body of `POST …/plan`. For this plan, a stage without pins loses those that are set. */
export function planQuestion({ arrivalRps, sloLatencyMs, budgetCpuCores, pins }: Assumptions): object {
  return {
    ...{ arrivalRps, sloLatencyMs },
    ...(budgetCpuCores !== undefined && { budgetCpuCores }),
    ...(Object.keys(pins).length > 0 && { pins }),
  };
}

/** Ranges of the sliders: up to a few times the current values, in steps of two digits. */
export function assumptionLimits(
  { slo, budget }: Pick<PipelineFacts, 'slo' | 'budget'>,
  arrivalRps: number,
): AssumptionLimits {
  return {
    arrivalRps: upTo(4 * Math.max(arrivalRps, 5)),
    sloLatencyMs: upTo(3 * slo.latencyMs),
    budgetCpuCores: upTo(3 * (budget.cpuCores ?? 1)),
  };
}

function upTo(most: number): Limits {
  const step = 10 ** (Math.floor(Math.log10(most)) - 1) / 2;
  return { min: step, max: Math.ceil(most / step) * step, step };
}
