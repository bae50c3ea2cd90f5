/** Draws inputs for a stage that the usual samples rarely reach, such as the second stage of a cascade. */

import type { ServingGraph } from '@equipoise/core/graph';
import type { PipelineSpec, StageSpec, TensorMap, VariantSpec } from '@equipoise/core/model';
import type { ModelRunner } from '@equipoise/core/ports';
import { byAccuracy, stagesBefore } from './flow.js';
import { SampleWalk } from './sample-walk.js';

export interface InputDraw {
  readonly spec: PipelineSpec;
  readonly graph: ServingGraph;
  readonly stage: number;
  /** Samples that were not used yet. */
  readonly more: readonly TensorMap[];
  /** Samples that gave `found`. */
  readonly used: readonly TensorMap[];
  readonly found: readonly TensorMap[];
  readonly launch: (stage: StageSpec, variant: VariantSpec) => Promise<ModelRunner>;
  readonly run: (runner: ModelRunner, stage: StageSpec, inputs: readonly TensorMap[]) => Promise<readonly TensorMap[]>;
}

/** With fewer inputs, single items decide the measured times. */
export const FEWEST_INPUTS = 8;
const AT_ONCE = 24;

/**
 * Takes more samples until there are `FEWEST_INPUTS` inputs. If there is none at all, less accurate variants of the
 * stages before compute the inputs: a cascade may escalate behind some variants only.
 */
export async function drawInputs(draw: InputDraw): Promise<readonly TensorMap[]> {
  const { spec, graph, stage, more, used } = draw;
  const before = stagesBefore(graph, stage);
  const ranks = Math.max(1, ...before.map((index) => (spec.stages[index] as StageSpec).variants.length));
  let found = draw.found;
  for (let rank = 0; rank < ranks && (rank === 0 || found.length === 0); rank++) {
    const samples = rank === 0 ? more : [...used, ...more];
    found = [...found, ...(await inputsThrough(draw, { before, rank, samples, wanted: FEWEST_INPUTS - found.length }))];
  }
  return found;
}

/** Inputs of the stage if each stage before it runs its variant of this rank (0: the most accurate). */
async function inputsThrough(
  { spec, graph, stage, launch, run }: InputDraw,
  {
    before,
    rank,
    samples,
    wanted,
  }: {
    readonly before: readonly number[];
    readonly rank: number;
    readonly samples: readonly TensorMap[];
    readonly wanted: number;
  },
): Promise<readonly TensorMap[]> {
  const found: TensorMap[] = [];
  const runners = new Map<number, ModelRunner>();
  try {
    for (let from = 0; from < samples.length && found.length < wanted; from += AT_ONCE) {
      const walk = new SampleWalk(graph, samples.slice(from, from + AT_ONCE));
      for (const index of graph.topologicalOrder) {
        if (!before.includes(index)) continue;
        const inputs = walk.inputsOf(index);
        if (inputs.length === 0) continue;
        const of = spec.stages[index] as StageSpec;
        const ranked = byAccuracy(of);
        const variant = ranked[Math.min(rank, ranked.length - 1)] as VariantSpec;
        const runner = runners.get(index) ?? (await launch(of, variant));
        runners.set(index, runner);
        walk.leave(index, await run(runner, of, inputs));
      }
      found.push(...walk.inputsOf(stage));
    }
  } finally {
    await Promise.all([...runners.values()].map((runner) => runner.close()));
  }
  return found;
}
