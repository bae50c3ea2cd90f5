/** Runs samples through combinations of variants. */

import { type ServingGraph, servingGraph } from '@equipoise/core/graph';
import {
  AppError,
  type EdgeCount,
  OMITTED,
  type PipelineSpec,
  type ProfileSet,
  quorumChoices,
  quorumOfChoice,
  type StageId,
  type StageSpec,
  type TensorMap,
  thresholdChoices,
  thresholdOfChoice,
  type VariantId,
  type VariantSpec,
  variantOfChoice,
} from '@equipoise/core/model';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { tensorBytes } from '../data-plane/bytes-in-flight.js';
import { copyTensors, responseTensors } from '../data-plane/payload-algebra.js';
import { flowCores, stagesBefore } from '../profiling/flow.js';
import { tensorsDigest } from '../profiling/profile-identity.js';
import { SampleWalk } from '../profiling/sample-walk.js';
import { FinishingOrder } from './finishing-order.js';
import { type ComparedItems, comparedItems } from './shadow-agreement.js';
import type { VariantChoice } from './variant-combinations.js';

/** Limit for the shared outputs of one sample. As many samples as cores run at once. */
const CACHE_BYTES = 256 * 2 ** 20;

export interface CombinationAnswer {
  readonly outputs: TensorMap;
  readonly edges: readonly EdgeCount[];
  /** Inputs of each stage. */
  readonly items: readonly number[];
  /** With choices of thresholds or quorums: by stage, the digests of its inputs. */
  readonly inputs?: readonly (readonly string[])[];
  /** Compared answers of the variants that ran in the same call, at its first combination. */
  readonly compared?: readonly ComparedItems[];
}

/** Answers of many combinations to one sample, and the number of items that stages ran for them. */
export interface SampleResult {
  readonly answers: readonly CombinationAnswer[];
  readonly stageRuns: number;
}

/**
 * Answers of many combinations to one sample. Combinations with equal variants of a stage and of all stages before it
 * share that stage's outputs, as far as these fit in `cacheBytes`. Choices in file order share most. With choices of
 * thresholds or quorums, equal inputs of a variant share their output. A threshold decides which items reach a stage, and
 * a quorum which inputs a join has. So no model runs again for the same input. A quorum takes the members that finish
 * first (see `FinishingOrder`).
 */
export class SampleAnswers {
  readonly #spec: PipelineSpec;
  readonly #graph: ServingGraph;
  readonly #runners: VariantRunners;
  readonly #cacheBytes: number;
  readonly #order: FinishingOrder;
  /** By stage: the stage and all stages before it. */
  readonly #dependsOn: readonly (readonly StageId[])[];
  /** True with choices of thresholds or quorums. */
  readonly #sharesByInput: boolean;

  constructor(
    spec: PipelineSpec,
    launcher: ReplicaLauncher,
    {
      cacheBytes = CACHE_BYTES,
      profiles = [],
    }: { readonly cacheBytes?: number | undefined; readonly profiles?: ProfileSet | undefined } = {},
  ) {
    this.#spec = spec;
    this.#graph = servingGraph(spec);
    this.#runners = new VariantRunners(spec, launcher);
    this.#cacheBytes = cacheBytes;
    this.#order = new FinishingOrder(spec, this.#graph, profiles);
    this.#sharesByInput =
      quorumChoices(spec).length > 0 || spec.stages.some(({ id }) => thresholdChoices(spec, id).length > 0);
    this.#dependsOn = spec.stages.map(({ id }, index) => [
      ...stagesBefore(this.#graph, index).flatMap((before) => spec.stages[before]?.id ?? []),
      id,
    ]);
  }

  /** Starts the variants of the choices. Call `close` at the end, also after a failure. */
  async start(choices: readonly VariantChoice[]): Promise<void> {
    for (const stage of this.#spec.stages) {
      const chosen = new Set(choices.map((choice) => variantOfChoice(choice[stage.id] as VariantId)));
      for (const variant of stage.variants) if (chosen.has(variant.id)) await this.#runners.start(stage, variant);
    }
  }

  close(): Promise<void> {
    return this.#runners.close();
  }

  /** Times that decide which members a quorum takes; undefined without. */
  get memberTimes(): unknown {
    return this.#order.times;
  }

  async answer(inputs: TensorMap, choices: readonly VariantChoice[]): Promise<SampleResult> {
    const shared = new SharedOutputs(this.#cacheBytes);
    const answers: CombinationAnswer[] = [];
    const shadowed = new ShadowedOutputs(this.#spec);
    const orderOf = this.#order.forSample(inputs);
    let stageRuns = 0;
    for (const choice of choices) {
      const omitted = this.#graph.stages.filter(({ id }) => choice[id] === OMITTED).map(({ index }) => index);
      const walk = new SampleWalk(this.#graph, [inputs], {
        omitted,
        thresholds: this.#numbersOf(choice, thresholdOfChoice),
        quorums: this.#numbersOf(choice, quorumOfChoice),
      });
      const items = this.#spec.stages.map(() => 0);
      const digests = this.#spec.stages.map((): readonly string[] => []);
      for (const index of orderOf(choice)) {
        const stage = this.#spec.stages[index];
        if (stage === undefined || omitted.includes(index)) continue;
        const stageInputs = walk.inputsOf(index);
        items[index] = stageInputs.length;
        const run = (some: readonly TensorMap[]): Promise<readonly TensorMap[]> => {
          stageRuns += some.length;
          return this.#runners.run(stage, variantOf(stage, choice[stage.id]), some);
        };
        if (this.#sharesByInput) digests[index] = stageInputs.map(tensorsDigest);
        const outputs = this.#sharesByInput
          ? await runEach(stageInputs, (input, item) =>
              shared.remember(inputKey(index, choice[stage.id], digests[index]?.[item]), () => run([input])),
            )
          : await shared.remember(this.#keyOf(index, choice), () => run(stageInputs));
        shadowed.note(stage, choice, stageInputs, outputs);
        walk.leave(index, outputs);
      }
      const outputs = responseTensors(this.#spec.outputs, walk.responses()[0] ?? []);
      answers.push({ outputs, edges: walk.edgeCounts(), items, ...(this.#sharesByInput && { inputs: digests }) });
    }
    return { answers: withCompared(answers, shadowed.compared()), stageRuns };
  }

  /** By stage. */
  #numbersOf(choice: VariantChoice, numberOf: (of: VariantId) => number | undefined): ReadonlyMap<number, number> {
    return new Map(
      this.#graph.stages.flatMap(({ id, index }): readonly (readonly [number, number])[] => {
        const value = numberOf(choice[id] as VariantId);
        return value === undefined ? [] : [[index, value]];
      }),
    );
  }

  /** Items that stages run for the answers to one sample, if all shared outputs fit in memory. */
  stageRunsOf(choices: readonly VariantChoice[], answers: readonly CombinationAnswer[]): number {
    const runs = new Map<string, number>();
    for (const [c, choice] of choices.entries()) {
      const { items, inputs } = answers[c] as CombinationAnswer;
      for (const [index, count] of items.entries()) {
        if (inputs === undefined) runs.set(this.#keyOf(index, choice), count);
        const chosen = choice[this.#spec.stages[index]?.id as StageId];
        for (const digest of inputs?.[index] ?? []) runs.set(inputKey(index, chosen, digest), 1);
      }
    }
    return [...runs.values()].reduce((sum, items) => sum + items, 0);
  }

  /** Equal keys have equal outputs. */
  #keyOf(index: number, choice: VariantChoice): string {
    return JSON.stringify([index, this.#dependsOn[index]?.map((id) => choice[id])]);
  }
}

/** Outputs of stages with a shadow, by input and variant. */
class ShadowedOutputs {
  readonly #stages: ReadonlyMap<StageSpec, Map<string, Map<VariantId, TensorMap>>>;

  constructor({ stages }: PipelineSpec) {
    this.#stages = new Map(stages.flatMap((stage) => (stage.shadow === undefined ? [] : [[stage, new Map()]])));
  }

  note(stage: StageSpec, choice: VariantChoice, inputs: readonly TensorMap[], outputs: readonly TensorMap[]): void {
    const byInput = this.#stages.get(stage);
    if (byInput === undefined) return;
    const variant = variantOfChoice(choice[stage.id] as VariantId);
    for (const [item, input] of inputs.entries()) {
      const key = tensorsDigest(input);
      const byVariant = byInput.get(key) ?? new Map<VariantId, TensorMap>();
      byInput.set(key, byVariant);
      const output = outputs[item];
      if (output !== undefined) byVariant.set(variant, output);
    }
  }

  compared(): readonly ComparedItems[] {
    return [...this.#stages].flatMap(([stage, byInput]) => comparedItems(stage, byInput));
  }
}

function withCompared(
  answers: readonly CombinationAnswer[],
  compared: readonly ComparedItems[],
): readonly CombinationAnswer[] {
  const [first, ...others] = answers;
  return first === undefined || compared.length === 0 ? answers : [{ ...first, compared }, ...others];
}

const inputKey = (index: number, choice: VariantId | undefined, digest: string | undefined): string =>
  JSON.stringify([index, choice && variantOfChoice(choice), digest]);

/** Results of items one by one, in their order. */
async function runEach(
  inputs: readonly TensorMap[],
  run: (input: TensorMap, item: number) => Promise<readonly TensorMap[]>,
): Promise<readonly TensorMap[]> {
  const outputs: TensorMap[] = [];
  for (const [item, input] of inputs.entries()) outputs.push(...(await run(input, item)));
  return outputs;
}

/** Outputs of stages by key. Beyond its limit it removes the least recently used outputs. */
class SharedOutputs {
  readonly #limitBytes: number;
  readonly #outputs = new Map<string, readonly TensorMap[]>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  async remember(key: string, run: () => Promise<readonly TensorMap[]>): Promise<readonly TensorMap[]> {
    const known = this.#outputs.get(key);
    const outputs = known ?? (await run());
    if (known === undefined) this.#bytes += bytesOf(outputs);
    else this.#outputs.delete(key);
    this.#outputs.set(key, outputs);
    for (const [oldest, forgotten] of this.#outputs) {
      if (this.#bytes <= this.#limitBytes) break;
      this.#bytes -= bytesOf(forgotten);
      this.#outputs.delete(oldest);
    }
    return outputs;
  }
}

const bytesOf = (outputs: readonly TensorMap[]): number =>
  outputs.reduce((sum, output) => sum + tensorBytes(output), 0);

const variantOf = ({ variants }: StageSpec, choice: VariantId | undefined): VariantSpec =>
  variants.find((variant) => variant.id === (choice && variantOfChoice(choice))) as VariantSpec;

interface Runner {
  readonly runner: ModelRunner;
  /** Resolves when all items so far are done. */
  idle: Promise<unknown>;
}

/** One replica per evaluated variant. Close the runners at the end. */
class VariantRunners {
  readonly #spec: PipelineSpec;
  readonly #launcher: ReplicaLauncher;
  readonly #runners = new Map<VariantSpec, Runner>();

  constructor(spec: PipelineSpec, launcher: ReplicaLauncher) {
    this.#spec = spec;
    this.#launcher = launcher;
  }

  async start(stage: StageSpec, variant: VariantSpec): Promise<void> {
    const resources = { cpuCores: flowCores(variant), memoryBytes: variant.memoryBytes, gpus: variant.gpus };
    const { runner } = await this.#launcher.launch({ stage, variant, resources, baseDir: this.#spec.baseDir });
    this.#runners.set(variant, { runner, idle: Promise.resolve() });
  }

  /** Runs items one by one, because batching may change the last digits. Rejects if an item fails. */
  async run(stage: StageSpec, variant: VariantSpec, inputs: readonly TensorMap[]): Promise<readonly TensorMap[]> {
    const outputs: TensorMap[] = [];
    for (const input of inputs) outputs.push(await this.#runOne(stage, variant, input));
    return outputs;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#runners.values()].map(({ runner }) => runner.close()));
  }

  async #runOne(stage: StageSpec, variant: VariantSpec, input: TensorMap): Promise<TensorMap> {
    const replica = this.#runners.get(variant) as Runner;
    const done = replica.idle.then(() => replica.runner.run([copyTensors(input)]));
    replica.idle = done.catch(() => undefined);
    const [result] = (await done).items;
    if (result?.kind === 'ok') return result.output;
    const message = `Stage ${stage.id}, variant ${variant.id} failed: ${result?.error.message ?? 'it returned no result'}`;
    throw new AppError(result?.error.code ?? 'STAGE_FAILED', message, { cause: result?.error });
  }
}
