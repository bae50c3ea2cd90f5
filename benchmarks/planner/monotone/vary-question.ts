/** Questions around one base point, one axis at a time, each axis from easy to hard. */
import type { PipelineSpec, StagePins, StageSpec } from '@equipoise/core/model';
import type { Draw } from '../instances/draw.js';

export interface Question {
  readonly label: string;
  readonly spec: PipelineSpec;
  readonly arrivalRps: number;
}

/** Each question is harder than those before it. */
export interface Axis {
  readonly name: 'load' | 'budget' | 'slo' | 'pins';
  readonly questions: readonly Question[];
}

const LOADS = [0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.45];
const BUDGETS = [1.5, 1.2, 1, 0.8];
const SLOS = [1.6, 1.25, 1, 0.8];
const LEAST_CORES = 0.05;

export function axesOf(spec: PipelineSpec, arrivalRps: number, draw: Draw): readonly Axis[] {
  const { budget, slo } = spec;
  const load = LOADS.map((factor) => {
    const rate = Number((arrivalRps * factor).toPrecision(4));
    return { label: `${rate} rps`, spec, arrivalRps: rate };
  });
  const budgets = BUDGETS.map((factor) => {
    const cores = Math.round(((budget.cpuCores ?? 1) * factor) / LEAST_CORES) * LEAST_CORES;
    const cpuCores = Number(Math.max(LEAST_CORES, cores).toFixed(2));
    return { label: `${cpuCores} cores`, spec: { ...spec, budget: { ...budget, cpuCores } }, arrivalRps };
  });
  const slos = SLOS.map((factor) => {
    const latencyMs = Number((slo.latencyMs * factor).toPrecision(4));
    return { label: `${latencyMs} ms`, spec: { ...spec, slo: { ...slo, latencyMs } }, arrivalRps };
  });
  const free = { label: 'no pin', spec, arrivalRps };
  const pinned = pinsOf(spec, draw).map(({ stage, pins }) => ({
    label: `${stage} ${JSON.stringify(pins)}`,
    spec: { ...spec, stages: spec.stages.map((each) => (each.id === stage ? { ...each, pins } : each)) },
    arrivalRps,
  }));
  return [
    { name: 'load', questions: load },
    { name: 'budget', questions: budgets },
    { name: 'slo', questions: slos },
    ...pinned.map((question): Axis => ({ name: 'pins', questions: [free, question] })),
  ];
}

/** Two pins of each stage: a variant, and one of cores, batch and replicas. */
function pinsOf({ stages }: PipelineSpec, draw: Draw): readonly { stage: string; pins: StagePins }[] {
  return stages.flatMap((stage) => {
    const ofStage = draw.fork(stage.id);
    const { id: variantId } = ofStage.pick(stage.variants);
    return [
      { stage: stage.id, pins: { variantId } },
      { stage: stage.id, pins: otherPin(stage, ofStage) },
    ];
  });
}

function otherPin({ variants, bounds }: StageSpec, draw: Draw): StagePins {
  const offered =
    bounds.batchSizes ?? variants.flatMap(({ profile = [] }) => profile.map(({ batchSize }) => batchSize));
  const pins: readonly StagePins[] = [
    { cpuCores: draw.pick(variants.flatMap(({ cpuCores }) => cpuCores)) },
    { maxBatchSize: draw.pick(offered) },
    { replicas: Math.min(bounds.maxReplicas, bounds.minReplicas + draw.integer(0, 3)) },
  ];
  return draw.pick(pins);
}
