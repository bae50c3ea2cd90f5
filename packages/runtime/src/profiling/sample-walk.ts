/**
 * Passes requests through the graph stage by stage, with core's walk. A join of `any` or `quorum` takes the inputs from
 * the earliest stages of the graph; the other stages run, too. Payloads are shared by reference: copy an item before
 * running it.
 */

import type { ServingGraph } from '@equipoise/core/graph';
import type { EdgeCount, TensorMap } from '@equipoise/core/model';
import { GraphWalk, RequestState, type Scope } from '@equipoise/core/serve';
import { type RequestSource, sourceTensors, tensorAlgebra } from '../data-plane/payload-algebra.js';

/** Inputs in request order. */
export type CapturedInputs = readonly TensorMap[];

type Request = RequestState<TensorMap, RequestSource>;

interface WaitingItem {
  readonly request: Request;
  readonly payload: TensorMap;
  readonly scope: Scope<TensorMap> | undefined;
}

/** Choices for all samples. */
interface WalkChoices {
  /** Stages that samples skip. */
  readonly omitted?: readonly number[];
  /** By stage; by default the first one. */
  readonly thresholds?: ReadonlyMap<number, number>;
  /** By stage that carries the choice; by default the smallest one. */
  readonly quorums?: ReadonlyMap<number, number>;
}

/** Call `inputsOf` and then `leave` for each stage in topological order. */
export class SampleWalk {
  readonly #walk: GraphWalk<TensorMap, RequestSource>;
  readonly #waiting: WaitingItem[][];
  readonly #requests: Request[] = [];

  constructor(
    graph: ServingGraph,
    samples: readonly TensorMap[],
    { omitted = [], thresholds = new Map(), quorums = new Map() }: WalkChoices = {},
  ) {
    this.#waiting = graph.stages.map(() => []);
    const algebra = { ...tensorAlgebra(graph), share: (payload: TensorMap) => payload };
    this.#walk = new GraphWalk(graph, algebra, {
      deliver: (request, stage, scope, payload) => {
        this.#waiting[stage]?.push({ request, scope, payload });
      },
      admits: () => true,
      discard: () => {},
      cannotAnswer: () => {},
    });
    for (const stage of omitted) this.#walk.omit(stage, true);
    for (const [stage, value] of thresholds) this.#walk.setThreshold(stage, value);
    for (const [stage, value] of quorums) this.#walk.setQuorum(stage, value);
    const sourceOf = sourceTensors(graph);
    samples.forEach((inputs, sequence) => {
      const arrival = { context: { source: sourceOf(inputs) }, arrivedAtMs: 0, deadlineAtMs: Number.POSITIVE_INFINITY };
      const request: Request = new RequestState(sequence, arrival, graph.answers.length);
      this.#requests.push(request);
      this.#walk.enter(request, inputs);
    });
  }

  /** The inputs are complete once all earlier stages have left. */
  inputsOf(stage: number): CapturedInputs {
    return (this.#waiting[stage] ?? []).map((item) => item.payload);
  }

  /** Takes one output per input, in the order of the inputs. */
  leave(stage: number, outputs: readonly TensorMap[]): void {
    const items = this.#waiting[stage] ?? [];
    this.#waiting[stage] = [];
    items.forEach(({ request, scope }, index) => {
      const output = outputs[index] as TensorMap;
      this.#walk.answer(request, { stage, scope }, output);
      this.#walk.leave(request, { stage, scope }, output);
    });
  }

  edgeCounts(): readonly EdgeCount[] {
    return this.#walk.edgeCounts.all;
  }

  /** Responses by request, then by output slot. */
  responses(): readonly (readonly (TensorMap | undefined)[])[] {
    return this.#requests.map((request) => request.outputs);
  }
}
