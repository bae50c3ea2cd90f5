/** Served plans: three example pipelines, four plans each. Every plan runs at each load of the method. */
import { fileURLToPath } from 'node:url';
import {
  AppError,
  type PipelineSpec,
  type Plan,
  type StageId,
  type StagePlan,
  type VariantSpec,
} from '@equipoise/core/model';
import type { CalibrationMethod } from '../../packages/app/src/calibrate/calibrate-plan.js';

/** `variant × replicas @ cores, batch`: what a stage runs. Stages that are not named run their first variant. */
interface StageChoice {
  readonly variant: string;
  readonly replicas?: number;
  readonly cpuCores?: number;
  readonly maxBatchSize: number;
}

export interface ServedConfiguration {
  readonly pipeline: string;
  readonly name: string;
  readonly stages: Readonly<Record<string, StageChoice>>;
}

const example = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

/** Files by the name that the tables show. */
export const pipelineFiles: Readonly<Record<string, string>> = {
  'shelf-scan': example('shelf-scan/pipeline.yaml'),
  cascade: example('shelf-scan/cascade.yaml'),
  policies: example('policies/pipeline.yaml'),
};

/** Loads of the benchmark. Those that calibrate lie between those that are compared. */
export const benchMethod: CalibrationMethod = {
  warmUpS: 3,
  searchS: 2,
  rounds: 6,
  calibrating: [0.2, 0.38, 0.52, 0.68, 0.82, 0.94],
  calibratingS: 1,
  checked: [0.3, 0.45, 0.6, 0.75, 0.88],
  checkedS: 2.6,
  overloadRounds: 4,
  overloadS: 2.5,
  overloadSlos: 3,
  fewestRequests: 30,
  fewestChecked: 170,
  mostCheckedS: 20,
  mostStretch: 4,
};

const scan = (name: string, detect: StageChoice, classify: StageChoice): ServedConfiguration => ({
  pipeline: 'shelf-scan',
  name,
  stages: {
    decode: { variant: 'jpeg', maxBatchSize: 1 },
    detect,
    classify,
    count: { variant: 'tally', maxBatchSize: 8 },
  },
});

const cascade = (
  name: string,
  detect: StageChoice,
  classify: StageChoice,
  again: StageChoice,
): ServedConfiguration => ({
  pipeline: 'cascade',
  name,
  stages: {
    decode: { variant: 'jpeg', maxBatchSize: 1 },
    detect,
    classify,
    reclassify: again,
    count: { variant: 'tally', maxBatchSize: 8 },
  },
});

const waiting = (name: string, detect: StageChoice, classify: StageChoice): ServedConfiguration => ({
  pipeline: 'policies',
  name,
  stages: { detect, classify },
});

const of = (variant: string, maxBatchSize: number, more: Partial<StageChoice> = {}): StageChoice => ({
  variant,
  maxBatchSize,
  ...more,
});

export const configurations: readonly ServedConfiguration[] = [
  scan('xs b4 · xs b8', of('xs', 4), of('xs', 8)),
  scan('s b1 · s b1', of('s', 1), of('s', 1)),
  scan('m b4 · s b8, 2 replicas', of('m', 4, { replicas: 2 }), of('s', 8, { replicas: 2 })),
  scan('l b2 @ 0.5 · m b4 @ 0.5', of('l', 2, { cpuCores: 0.5 }), of('m', 4, { cpuCores: 0.5 })),
  cascade('xs b4 · xs b8 · l b8', of('xs', 4), of('xs', 8), of('l', 8)),
  cascade('s b2 · s b4 · l b4', of('s', 2), of('s', 4), of('l', 4)),
  cascade(
    'm b4 @ 0.75 · xs b8 @ 0.5 · l b8 @ 0.5',
    of('m', 4, { cpuCores: 0.75 }),
    of('xs', 8, { cpuCores: 0.5 }),
    of('l', 8, { cpuCores: 0.5 }),
  ),
  cascade('s b1 · m b1 · l b1', of('s', 1), of('m', 1), of('l', 1)),
  waiting('small b4 × 6 · fast b8 × 3', of('small', 4, { replicas: 6 }), of('fast', 8, { replicas: 3 })),
  waiting('small b1 × 8 · fast b1 × 3', of('small', 1, { replicas: 8 }), of('fast', 1, { replicas: 3 })),
  waiting('medium b4 × 8 · fast b8 × 2', of('medium', 4, { replicas: 8 }), of('fast', 8, { replicas: 2 })),
  waiting('small b4 × 4 · accurate b8 × 6', of('small', 4, { replicas: 4 }), of('accurate', 8, { replicas: 6 })),
];

/** Pipeline with the chosen variants and core counts only. */
export function specOf(spec: PipelineSpec, { stages: chosen }: ServedConfiguration): PipelineSpec {
  const { accuracyTable: _, robustness: __, ...rest } = spec;
  const stages = spec.stages.map((stage) => {
    const choice = chosen[stage.id];
    const variant = stage.variants.find(({ id }) => id === choice?.variant);
    if (choice === undefined || variant === undefined)
      throw new AppError('NOT_FOUND', `Stage ${stage.id} of ${spec.name} has no variant ${String(choice?.variant)}.`);
    const cpuCores = choice.cpuCores ?? 1;
    const sizes = stage.bounds.batchSizes ?? [1, 2, 4, 8];
    const batchSizes = sizes.filter((size) => size <= choice.maxBatchSize);
    return { ...stage, variants: [{ ...variant, cpuCores: [cpuCores] }], bounds: { ...stage.bounds, batchSizes } };
  });
  return { ...rest, stages };
}

export function planOf(spec: PipelineSpec, { stages: chosen }: ServedConfiguration): Pick<Plan, 'stages'> {
  const stages: Record<StageId, readonly StagePlan[]> = {};
  for (const { id, variants } of spec.stages) {
    const [variant] = variants as readonly [VariantSpec];
    const { replicas = 1, maxBatchSize } = chosen[id] as StageChoice;
    const [cpuCores = 1] = variant.cpuCores;
    stages[id] = [
      {
        variantId: variant.id,
        resources: { cpuCores, memoryBytes: variant.memoryBytes, gpus: 0 },
        ...{ maxBatchSize, maxBatchWaitMs: 0, replicas, trafficFraction: 1 },
      },
    ];
  }
  return { stages };
}
