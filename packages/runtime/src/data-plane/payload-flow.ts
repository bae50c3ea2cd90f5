/**
 * Payload algebra of real requests. It must not throw into the policies: a failed split or join marks its request and
 * yields an empty payload. The runner then fails the request.
 */
import { AppError, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import type { MissingPart, PayloadAlgebra, ServingEdge, ServingGraph } from '@equipoise/core/serve';
import { responseTensors, stageFailed, tensorAlgebra } from './payload-algebra.js';
import type { PendingRequest, PipelineOutcome, RequestTensors, ServedRequest } from './pending-request.js';

export class PayloadFlow implements PayloadAlgebra<RequestTensors> {
  readonly #algebra: PayloadAlgebra<TensorMap>;
  readonly #outputs: PipelineSpec['outputs'];
  readonly #nameOf: (part: MissingPart) => string;

  constructor(graph: ServingGraph, outputs: PipelineSpec['outputs']) {
    this.#algebra = tensorAlgebra(graph);
    this.#outputs = outputs;
    this.#nameOf = ({ edge, items }) =>
      `${graph.stages[graph.edges[edge]?.from ?? -1]?.id}${items.map((item) => `[${item}]`).join('')}`;
  }

  takes(edge: ServingEdge, { request, tensors }: RequestTensors): boolean {
    return attempt(request, false, () => this.#algebra.takes(edge, tensors));
  }

  items(edge: ServingEdge, { tensors }: RequestTensors): number {
    return this.#algebra.items(edge, tensors);
  }

  fanOut(edge: ServingEdge, { request, tensors }: RequestTensors): readonly RequestTensors[] {
    const parts = attempt(request, [], () => this.#algebra.fanOut(edge, tensors));
    return parts.map((part) => ({ request, tensors: part }));
  }

  join(edge: ServingEdge, parts: readonly RequestTensors[]): RequestTensors {
    const request = parts[0]?.request;
    return { request, tensors: attempt(request, {}, () => this.#algebra.join(edge, parts.map(tensorsOf))) };
  }

  merge(stage: number, parts: readonly (RequestTensors | undefined)[]): RequestTensors {
    const request = parts.find((part) => part?.request !== undefined)?.request;
    const merged = () =>
      this.#algebra.merge(
        stage,
        parts.map((part) => part?.tensors),
      );
    return { request, tensors: attempt(request, {}, merged) };
  }

  share({ request, tensors }: RequestTensors): RequestTensors {
    return { request, tensors: this.#algebra.share(tensors) };
  }

  /** Outcome of a request whose walk has ended; `failed` if its outputs cannot be merged. */
  outcome(request: ServedRequest): PipelineOutcome {
    if (request.context.failure !== undefined) return { kind: 'failed', failure: request.context.failure };
    try {
      const produced = request.outputs.map((output) => output?.tensors);
      const output = responseTensors(this.#outputs, produced);
      return { kind: 'completed', output, ...(request.missing && { missing: request.missing.map(this.#nameOf) }) };
    } catch (error) {
      return { kind: 'failed', failure: asAppError(error) };
    }
  }
}

function tensorsOf({ tensors }: RequestTensors): TensorMap {
  return tensors;
}

/** Fails `request` if `work` throws, and returns `instead`. Without a request there are no items to fail. */
function attempt<Result>(request: PendingRequest | undefined, instead: Result, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (request !== undefined) request.failure ??= asAppError(error);
    return instead;
  }
}

function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : stageFailed('output', `its tensors are unusable (${error})`);
}
