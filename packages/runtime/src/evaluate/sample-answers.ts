/**
 * The answers of many combinations to one sample, each stage's work done once: what a stage gives depends on its variant and on those of the
 * stages before it, so combinations that agree on them share it (the combinations form a prefix tree along the graph).
 */
import type { PipelineSpec, StageId, StageSpec, TensorMap, VariantId, VariantSpec } from '@equipoise/core/model';
import type { ServingGraph } from '@equipoise/core/serve';
import { responseTensors } from '../data-plane/payload-algebra.js';
import { stagesBefore } from '../profiling/flow.js';
import { SampleWalk } from '../profiling/sample-walk.js';
import type { VariantChoice } from './variant-combinations.js';

/** Runs items of a stage on one of its variants. */
export type RunStage = (
  stage: StageSpec,
  variant: VariantSpec,
  inputs: readonly TensorMap[],
) => Promise<readonly TensorMap[]>;

/** Answers samples of one pipeline. */
export class SampleAnswers {
  readonly #spec: PipelineSpec;
  readonly #graph: ServingGraph;
  readonly #run: RunStage;
  /** By stage: itself and the stages before it, on which its outputs depend. */
  readonly #dependsOn: readonly (readonly StageId[])[];

  constructor(spec: PipelineSpec, graph: ServingGraph, run: RunStage) {
    this.#spec = spec;
    this.#graph = graph;
    this.#run = run;
    this.#dependsOn = spec.stages.map(({ id }, index) => [
      ...stagesBefore(graph, index).map((before) => (spec.stages[before] as StageSpec).id),
      id,
    ]);
  }

  /** The response of every combination to one request. */
  async answer(inputs: TensorMap, choices: readonly VariantChoice[]): Promise<readonly TensorMap[]> {
    const shared = new Map<string, readonly TensorMap[]>();
    const responses: TensorMap[] = [];
    for (const choice of choices) responses.push(await this.#walk(inputs, choice, shared));
    return responses;
  }

  async #walk(inputs: TensorMap, choice: VariantChoice, shared: Map<string, readonly TensorMap[]>): Promise<TensorMap> {
    const walk = new SampleWalk(this.#graph, [inputs]);
    for (const index of this.#graph.topologicalOrder) {
      const stage = this.#spec.stages[index] as StageSpec;
      const key = JSON.stringify([index, this.#dependsOn[index]?.map((id) => choice[id])]);
      const outputs =
        shared.get(key) ?? (await this.#run(stage, variantOf(stage, choice[stage.id]), walk.inputsOf(index)));
      shared.set(key, outputs);
      walk.leave(index, outputs);
    }
    return responseTensors(this.#spec.outputs, walk.responses()[0] ?? []);
  }
}

const variantOf = ({ variants }: StageSpec, id: VariantId | undefined): VariantSpec =>
  variants.find((variant) => variant.id === id) as VariantSpec;
