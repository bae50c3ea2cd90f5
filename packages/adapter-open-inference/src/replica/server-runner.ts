import {
  AppError,
  boundedMessage,
  boundedName,
  type ErrorDetails,
  type InferenceServerSpec,
  invariant,
  type TensorMap,
  tensorProblem,
} from '@equipoise/core/model';
import type { BatchResult, ModelRunner } from '@equipoise/core/ports';
import { SENT_TOGETHER_HEADER } from '@equipoise/open-inference-codec';
import type { InferenceClient } from '../client/inference-client.js';
import { isUnsent } from '../client/server-failure.js';
import { runItems } from './batch-requests.js';

export interface ServerFacts {
  readonly stage: string;
  readonly variant: string;
  readonly model: string;
  readonly batching: InferenceServerSpec['batching'];
  readonly runTimeoutMs: number;
  readonly healthIntervalMs: number;
  readonly address?: string | undefined;
  /** True if a batch may run twice. */
  readonly isIdempotent: boolean;
}

const MOST_FAILED_CHECKS = 2;

/**
 * Replica that is an Open Inference server. The replica is lost if its connection breaks, a batch exceeds its time
 * limit, or health checks fail while it is idle. Other failures concern only the items. `release` frees its resources
 * after the last batch.
 */
export class ServerRunner implements ModelRunner {
  readonly keepsTensors = true;
  readonly passesTraces = true;
  readonly givesTensors = true;
  readonly address: string | undefined;
  readonly #client: InferenceClient;
  readonly #facts: ServerFacts;
  readonly #release: () => Promise<void>;
  readonly #listeners: ((error: AppError) => void)[] = [];
  readonly #giveUp = new AbortController();
  readonly #health: NodeJS.Timeout;
  #failedChecks = 0;
  #running: Promise<unknown> | undefined;
  #lost: AppError | undefined;
  #closed: Promise<void> | undefined;

  constructor(client: InferenceClient, facts: ServerFacts, release: () => Promise<void>) {
    this.#client = client;
    this.#facts = facts;
    this.address = facts.address;
    this.#release = release;
    this.#health = setInterval(() => void this.#checkHealth(), facts.healthIntervalMs);
    this.#health.unref();
  }

  async run(batch: readonly TensorMap[], traceHeaders?: Readonly<Record<string, string>>): Promise<BatchResult> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#closed !== undefined) throw this.#error('was given a batch after its replica was closed');
    invariant(this.#running === undefined, 'a replica runs one batch at a time');
    invariant(batch.length >= 1, 'a batch has at least one item');
    const running = this.#run(batch, traceHeaders);
    this.#running = running.catch(() => undefined);
    try {
      return await running;
    } finally {
      this.#running = undefined;
    }
  }

  onLost(listener: (error: AppError) => void): void {
    const lost = this.#lost;
    if (lost === undefined) this.#listeners.push(listener);
    else queueMicrotask(() => listener(lost));
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      clearInterval(this.#health);
      await this.#running;
      this.#client.close();
      await this.#release();
    })();
    return this.#closed;
  }

  abandon(): void {
    this.lose('its batch was cancelled');
  }

  lose(reason: string, details: ErrorDetails = {}): void {
    if (this.#lost !== undefined) return;
    const lost = this.#error(`lost a replica: ${reason}`, details);
    this.#lost = lost;
    clearInterval(this.#health);
    if (this.#running !== undefined) this.#giveUp.abort();
    else if (this.#closed === undefined) for (const listener of this.#listeners) listener(lost);
  }

  async #run(
    batch: readonly TensorMap[],
    traceHeaders: Readonly<Record<string, string>> | undefined,
  ): Promise<BatchResult> {
    const { model, batching, runTimeoutMs } = this.#facts;
    const { signal } = this.#giveUp;
    const startedAtMs = performance.now();
    /** One for each request; true if it was not sent. */
    const unsent: Promise<boolean>[] = [];
    try {
      const items = await runItems(batch, {
        refused: (item) => this.#refused(item),
        batching,
        infer: async (inputs, together) => {
          const headers =
            batching === 'single' ? { ...traceHeaders, [SENT_TOGETHER_HEADER]: String(together) } : traceHeaders;
          const timeoutMs = Math.max(1, runTimeoutMs - (performance.now() - startedAtMs));
          const answer = this.#client.infer(model, { inputs }, { timeoutMs, signal, headers });
          unsent.push(answer.then(() => false, isUnsent));
          return (await answer).outputs;
        },
        isFatal: (error) => this.#lossOf(error, startedAtMs) !== undefined,
      });
      return { items, serviceMs: performance.now() - startedAtMs };
    } catch (error) {
      const reason = this.#lossOf(error, startedAtMs) ?? String(error);
      // If a batch may run only once, it matters whether the server got any of its requests. Else it is not worth a wait.
      const isKnown = unsent.length === 1 || !this.#facts.isIdempotent;
      const isWhole = isKnown && isUnsent(error) && (await Promise.all(unsent)).every(Boolean);
      this.lose(reason, isWhole ? { unsent: true } : {});
      throw this.#lost ?? error;
    }
  }

  /** Failure of an item that no request can carry. */
  #refused(item: TensorMap): AppError | undefined {
    for (const [name, tensor] of Object.entries(item)) {
      const problem = tensorProblem(tensor, ': was it transferred before?');
      if (problem === undefined) continue;
      const { stage, variant } = this.#facts;
      const message = `Stage '${stage}' (variant '${variant}') cannot send tensor ${boundedName(name)}: ${problem}.`;
      return new AppError('INVALID_INPUT', boundedMessage(message), { details: { stage, tensor: boundedName(name) } });
    }
    return undefined;
  }

  /** Reason of a loss; undefined if only the items failed, as with a defect of this client. */
  #lossOf(error: unknown, startedAtMs: number): string | undefined {
    const { runTimeoutMs } = this.#facts;
    if (this.#lost !== undefined) return String(error);
    if (!(error instanceof AppError)) return undefined;
    if (error.code === 'UNREACHABLE') return error.message;
    const late = error.code === 'DEADLINE_PASSED' && performance.now() - startedAtMs >= runTimeoutMs - 5;
    return late ? `a batch ran longer than ${runTimeoutMs / 1000} s` : undefined;
  }

  async #checkHealth(): Promise<void> {
    if (this.#running !== undefined) return;
    const { model, healthIntervalMs } = this.#facts;
    const ready = await this.#client.modelReady(model, { timeoutMs: healthIntervalMs });
    if (this.#running !== undefined || this.#closed !== undefined) return;
    this.#failedChecks = ready ? 0 : this.#failedChecks + 1;
    if (this.#failedChecks > MOST_FAILED_CHECKS) {
      this.lose(`the server ${this.#client.url} failed ${this.#failedChecks} health checks in a row`);
    }
  }

  #error(problem: string, details: ErrorDetails = {}): AppError {
    const { stage, variant } = this.#facts;
    return new AppError('REPLICA_LOST', `Stage '${stage}' (variant '${variant}') ${problem}`, {
      details: { stage, variant, ...details },
      retryable: true,
    });
  }
}
