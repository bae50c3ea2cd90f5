/**
 * Payload algebra of real requests. It must not throw into the policies: a failed split or join marks its request and
 * yields an empty payload. The runner then fails the request.
 */

import type { ServingEdge, ServingGraph } from '@equipoise/core/graph';
import { AppError, type PipelineSpec, type TensorMap, type VariantId } from '@equipoise/core/model';
import type { MissingPart, PayloadAlgebra } from '@equipoise/core/serve';
import { responseTensors, sourceTensors, stageFailed, tensorAlgebra } from './payload-algebra.js';
import type { PendingRequest, PipelineOutcome, ServedRequest } from './pending-request.js';

export class PayloadFlow implements PayloadAlgebra<TensorMap, PendingRequest> {
  /** Picks the tensors of a request that edges pass on. */
  readonly source: (inputs: TensorMap) => TensorMap;
  readonly #algebra: ReturnType<typeof tensorAlgebra>;
  readonly #outputs: PipelineSpec['outputs'];
  readonly #nameOf: (part: MissingPart) => string;

  constructor(graph: ServingGraph, outputs: PipelineSpec['outputs']) {
    this.source = sourceTensors(graph);
    this.#algebra = tensorAlgebra(graph);
    this.#outputs = outputs;
    this.#nameOf = ({ edge, items }) => {
      const producer = edge < 0 ? graph.sources[-1 - edge]?.name : graph.nodes[graph.edges[edge]?.from ?? -1]?.id;
      return `${producer}${items.map((item) => `[${item}]`).join('')}`;
    };
  }

  part(source: number, inputs: TensorMap): TensorMap | undefined {
    return this.#algebra.part(source, inputs);
  }

  takes(
    edge: ServingEdge,
    output: TensorMap,
    request: PendingRequest,
    variant?: VariantId,
    threshold?: number,
  ): boolean {
    return attempt(request, false, () => this.#algebra.takes(edge, output, request, variant, threshold));
  }

  steps(): number {
    return this.#algebra.steps?.() ?? 0;
  }

  items(edge: ServingEdge, output: TensorMap): number {
    return this.#algebra.items(edge, output);
  }

  select(edge: ServingEdge, output: TensorMap, request: PendingRequest): TensorMap {
    return attempt(request, {}, () => this.#algebra.select(edge, output, request));
  }

  fanOut(edge: ServingEdge, output: TensorMap, request: PendingRequest): readonly TensorMap[] {
    return attempt(request, [], () => this.#algebra.fanOut(edge, output, request));
  }

  join(edge: ServingEdge, parts: readonly TensorMap[], request: PendingRequest): TensorMap {
    return attempt(request, {}, () => this.#algebra.join(edge, parts, request));
  }

  merge(stage: number, parts: readonly (TensorMap | undefined)[], request: PendingRequest): TensorMap {
    return attempt(request, {}, () => this.#algebra.merge(stage, parts, request));
  }

  share(tensors: TensorMap): TensorMap {
    return this.#algebra.share(tensors);
  }

  /** Outcome of a request whose walk has ended; `failed` if its outputs cannot be merged. */
  outcome(request: ServedRequest): PipelineOutcome {
    if (request.context.failure !== undefined) return { kind: 'failed', failure: request.context.failure };
    try {
      const output = responseTensors(this.#outputs, request.outputs);
      // A part that several edges lack is one missing part.
      const missing = request.missing && [...new Set(request.missing.map(this.#nameOf))];
      return { kind: 'completed', output, ...(missing && { missing }) };
    } catch (error) {
      return { kind: 'failed', failure: asAppError(error) };
    }
  }
}

/** Fails `request` if `work` throws, and returns `instead`. */
function attempt<Result>(request: PendingRequest, instead: Result, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    request.failure ??= asAppError(error);
    return instead;
  }
}

function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : stageFailed('output', `its tensors are unusable (${error})`);
}
