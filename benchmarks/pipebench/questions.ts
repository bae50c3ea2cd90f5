/**
 * Questions of PipeBench: a pipeline and what is asked of it. Published pipelines need EQUIPOISE_REFERENCE_DIR; the others
 * come with the repository.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AccuracyTable, PipelineSpec, StageId, VariantId } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { specFor } from '../control/pipelines.js';
import { literaturePipeline } from '../literature/pipelines.js';
import { dayPipeline } from '../simulator/day/day-pipeline.js';

/** `weights`: the published weights. `min-cost`: the accuracy of the middle variants. `max-accuracy`: the budget. */
export type Goal = 'weights' | 'min-cost' | 'max-accuracy';

export interface Question {
  readonly pipeline: string;
  readonly goal: Goal;
  readonly spec: PipelineSpec;
  /** Cores of the cluster of a policy that needs a fixed one, if the question has no budget. */
  readonly clusterCores: number;
  /** True if points of the profile were filled by a rule. */
  readonly filled: boolean;
}

/** A plan for this rate needs four fifths of the budget, as in the benchmark of the control loop. */
export const PEAK_RPS = 34;
const MOST_REPLICAS = 128;

export const PUBLISHED = ['video', 'audio-qa', 'sum-qa'];

/** The same control for all: a plan every 10 s, ours with bursts answered every second; no canaries. */
function underControl(spec: PipelineSpec): PipelineSpec {
  return {
    ...spec,
    budget: {},
    stages: spec.stages.map((stage) => ({ ...stage, bounds: { ...stage.bounds, maxReplicas: MOST_REPLICAS } })),
    control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 30_000, canary: false },
    admission: { ...spec.admission, maxQueueLength: 1_000_000 },
  };
}

/** Measured accuracies of shelf-scan, whose models the stages of shelf-day are. */
function shelfScanTable(): AccuracyTable {
  const file = new URL('../../examples/shelf-scan/accuracy.json', import.meta.url);
  const table = JSON.parse(readFileSync(file, 'utf8')) as AccuracyTable;
  const combinations = table.combinations.map((each) => {
    const { decode: _, ...variants } = each.variants as Readonly<Record<string, VariantId>>;
    return { ...each, variants: variants as Readonly<Record<StageId, VariantId>> };
  });
  return { ...table, combinations };
}

async function pipelineNamed(name: string, referenceDir: string): Promise<{ spec: PipelineSpec; filled: boolean }> {
  if (PUBLISHED.includes(name)) {
    const { spec, filled } = literaturePipeline(referenceDir, name);
    return { spec, filled: filled > 0 };
  }
  if (name === 'shelf-day') return { spec: { ...dayPipeline, accuracyTable: shelfScanTable() }, filled: false };
  const path = fileURLToPath(new URL('../../examples/policies/pipeline.yaml', import.meta.url));
  const read = await loadPipelineFile(path);
  if (read.kind === 'invalid') throw new Error(`${path}: ${read.problems.map(({ message }) => message).join('; ')}`);
  return { spec: read.spec, filled: false };
}

export async function questionOf(
  { pipeline, goal }: Pick<Question, 'pipeline' | 'goal'>,
  referenceDir: string,
): Promise<Question> {
  const { spec, filled } = await pipelineNamed(pipeline, referenceDir);
  const controlled = underControl({ ...spec, name: pipeline });
  const budgeted = specFor(controlled, goal === 'min-cost' ? 'min-cost' : 'max-accuracy', PEAK_RPS);
  const clusterCores = budgeted.budget.cpuCores ?? 0;
  return { pipeline, goal, filled, clusterCores, spec: goal === 'weights' ? controlled : budgeted };
}
