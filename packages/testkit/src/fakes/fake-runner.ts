import { AppError, invariant, type TensorMap } from '@equipoise/core/model';
import type { BatchResult, ItemResult, ModelRunner } from '@equipoise/core/ports';

export type FakeAnswer = (batch: readonly TensorMap[]) => readonly ItemResult[];

const echo: FakeAnswer = (batch) => batch.map((output) => ({ kind: 'ok', output }));

/**
 * ModelRunner in memory. Echoes batches by default. `hold` delays batches until `release`; `lose` loses the replica.
 */
export class FakeRunner implements ModelRunner {
  /** Every batch, in order. */
  readonly batches: (readonly TensorMap[])[] = [];
  readonly #answer: FakeAnswer;
  readonly #listeners: ((error: AppError) => void)[] = [];
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  #running: Promise<BatchResult> | undefined;
  #fail: ((error: AppError) => void) | undefined;
  #lost: AppError | undefined;
  #closed = false;

  constructor(answer: FakeAnswer = echo) {
    this.#answer = answer;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Delays batches until `release`. */
  hold(): void {
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate = { opened, open };
  }

  release(): void {
    this.#gate?.open();
    this.#gate = undefined;
  }

  /** Loses the replica: rejects a running batch, otherwise notifies the listeners. */
  lose(): void {
    const lost = new AppError('REPLICA_LOST', 'The replica was lost.', { retryable: true });
    this.#lost = lost;
    if (this.#fail === undefined) for (const listener of this.#listeners) listener(lost);
    else this.#fail(lost);
  }

  async run(batch: readonly TensorMap[]): Promise<BatchResult> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#closed) throw new AppError('REPLICA_LOST', 'The replica is closed.', { retryable: true });
    invariant(this.#running === undefined, 'a replica runs one batch at a time');
    invariant(batch.length >= 1, 'a batch has at least one item');
    this.batches.push(batch);
    this.#running = this.#result(batch).finally(() => {
      this.#running = undefined;
      this.#fail = undefined;
    });
    return this.#running;
  }

  onLost(listener: (error: AppError) => void): void {
    const lost = this.#lost;
    if (lost === undefined) this.#listeners.push(listener);
    else queueMicrotask(() => listener(lost));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running?.catch(() => undefined);
  }

  async #result(batch: readonly TensorMap[]): Promise<BatchResult> {
    const lost = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    await Promise.race([this.#gate?.opened, lost]);
    return { items: this.#answer(batch), serviceMs: 1 };
  }
}
