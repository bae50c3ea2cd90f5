/** Answered requests that wait for feedback: bounded in number, age and bytes. */
import { AppError, boundedName, type PipelineSpec, type TensorMap } from '@equipoise/core/model';
import type { VariantChoice } from '../../accuracy/served-variants.js';
import { tensorBytes } from '../../data-plane/bytes-in-flight.js';
import { copyTensors } from '../../data-plane/payload-algebra.js';

/** Answer of an item. `outputs` are those that a label is compared with. */
interface AnsweredItem {
  readonly choice: VariantChoice | undefined;
  readonly outputs: TensorMap | undefined;
}

/** `items` has one entry per item of a client batch. */
export interface AnsweredRequest {
  readonly id: string;
  /** Undefined if the server has no tenants. */
  readonly tenant: string | undefined;
  readonly items: readonly AnsweredItem[];
}

/** `item` may be omitted for a request of one item. `score` is a fraction, more is better. */
export type Feedback = { readonly id: string; readonly item?: number } & (
  | { readonly score: number }
  | { readonly label: unknown }
);

type Bounds = NonNullable<PipelineSpec['feedback']>;

interface KeptRequest extends Pick<AnsweredRequest, 'items'> {
  readonly atMs: number;
  readonly bytes: number;
  /** Items with feedback. */
  readonly judged: Set<number>;
}

/** Longer ids are not kept. */
const MOST_ID_CHARACTERS = 200;
/** Of one answer, which also bounds the work of a metric. */
const MOST_OUTPUT_BYTES = 16 * 1024;
/** Of all answers. */
const MOST_BYTES = 64 * 1024 * 1024;

export class AnsweredRequests {
  readonly #bounds: Bounds;
  /** Oldest first. */
  readonly #kept = new Map<string, KeptRequest>();
  #items = 0;
  #bytes = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /** Replaces an earlier request of this id and tenant. Large outputs are not kept. */
  keep({ id, tenant, items: answered }: AnsweredRequest, atMs: number): void {
    if (id.length > MOST_ID_CHARACTERS) return;
    const key = keyOf(tenant, id);
    this.#remove(key);
    const items = answered.map(({ choice, outputs }) => ({ choice, outputs: small(outputs) }));
    const bytes = items.reduce((sum, { outputs = {} }) => sum + tensorBytes(outputs), 0);
    this.#kept.set(key, { items, bytes, atMs, judged: new Set() });
    this.#items += items.length;
    this.#bytes += bytes;
    const { maxRequests, maxAgeMs } = this.#bounds;
    for (const [oldest, { atMs: keptAtMs }] of this.#kept) {
      if (this.#items <= maxRequests && this.#bytes <= MOST_BYTES && atMs - keptAtMs <= maxAgeMs) break;
      this.#remove(oldest);
    }
  }

  /**
   * Marks an item as judged once `judge` returns. Throws AppError NOT_FOUND for requests that are unknown, too old, or
   * of another tenant; CONFLICT for a second feedback.
   */
  judge<Judgment>(
    { id, item }: Pick<Feedback, 'id' | 'item'>,
    { tenant, nowMs }: { readonly tenant: string | undefined; readonly nowMs: number },
    judge: (answered: AnsweredItem) => Judgment,
  ): Judgment {
    const kept = this.#kept.get(keyOf(tenant, id));
    const { maxRequests, maxAgeMs } = this.#bounds;
    if (kept === undefined || nowMs - kept.atMs > maxAgeMs)
      throw new AppError(
        'NOT_FOUND',
        `No answer with the id ${boundedName(id)} is kept. The server keeps the last ${maxRequests} answers for ${maxAgeMs / 1000} s; it does not keep drops and failures.`,
        { details: { maxRequests, maxAgeMs } },
      );
    const { length } = kept.items;
    const index = item ?? (length === 1 ? 0 : -1);
    const answered = kept.items[index];
    if (answered === undefined)
      throw new AppError(
        'INVALID_FIELDS',
        `The request has ${length} items. Set item to a number from 0 to ${length - 1}.`,
      );
    if (kept.judged.has(index))
      throw new AppError('CONFLICT', `The answer with the id ${boundedName(id)} has its feedback already.`);
    const judgment = judge(answered);
    kept.judged.add(index);
    return judgment;
  }

  #remove(key: string): void {
    const { items = [], bytes = 0 } = this.#kept.get(key) ?? {};
    this.#items -= items.length;
    this.#bytes -= bytes;
    this.#kept.delete(key);
  }
}

/** Copy of outputs that are small enough to be kept; the originals may share memory with larger tensors. */
function small(outputs: TensorMap | undefined): TensorMap | undefined {
  return outputs === undefined || tensorBytes(outputs) > MOST_OUTPUT_BYTES ? undefined : copyTensors(outputs);
}

/** Names of tenants have no spaces. */
const keyOf = (tenant: string | undefined, id: string): string => `${tenant ?? ''} ${id}`;
