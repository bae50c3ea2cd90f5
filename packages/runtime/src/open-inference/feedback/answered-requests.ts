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
  /** The same object for all parts of a request from several sources. */
  readonly outcome: object;
}

/** `item` may be omitted for a request of one item. `score` is a fraction, more is better. */
export type Feedback = { readonly id: string; readonly item?: number } & (
  | { readonly score: number }
  | { readonly label: unknown }
);

type Bounds = NonNullable<PipelineSpec['feedback']>;

interface KeptRequest extends Pick<AnsweredRequest, 'items'> {
  readonly key: string;
  /** Of its outcome. */
  readonly number: number;
  readonly atMs: number;
  readonly bytes: number;
  /** Items with feedback. */
  judged?: Set<number>;
  newer?: KeptRequest;
}

/** Longer ids are not kept. */
const MOST_ID_CHARACTERS = 200;
/** Of one answer, which also bounds the work of a metric. */
const MOST_OUTPUT_BYTES = 16 * 1024;
/** Of all answers, with what keeps them. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Memory of a request, an item and a tensor besides text and data, rounded up from measurements. */
const [REQUEST_BYTES, ITEM_BYTES, TENSOR_BYTES] = [256, 64, 512];

export class AnsweredRequests {
  readonly #bounds: Bounds;
  readonly #kept = new Map<string, KeptRequest>();
  /** A linked list, because a map that is used as a queue visits the places of its deleted entries. */
  #oldest: KeptRequest | undefined;
  #newest: KeptRequest | undefined;
  readonly #numbers = new WeakMap<object, number>();
  #numbered = 0;
  #items = 0;
  #bytes = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /**
   * A later request of an id and tenant hides an earlier one; both count. Parts with the same id are one request. Large
   * outputs are not kept.
   */
  keep({ id, tenant, items: answered, outcome }: AnsweredRequest, atMs: number): void {
    if (id.length > MOST_ID_CHARACTERS) return;
    const key = keyOf(tenant, id);
    const number = this.#numberOf(outcome);
    if (this.#kept.get(key)?.number === number) return;
    const items = answered.map(({ choice, outputs }) => ({ choice, outputs: small(outputs) }));
    const bytes = items.reduce((sum, item) => sum + itemBytes(item), REQUEST_BYTES + 2 * key.length);
    const kept: KeptRequest = { key, number, items, bytes, atMs };
    this.#kept.set(key, kept);
    if (this.#newest !== undefined) this.#newest.newer = kept;
    this.#newest = kept;
    this.#oldest ??= kept;
    this.#items += items.length;
    this.#bytes += bytes;
    const { maxRequests, maxAgeMs } = this.#bounds;
    const isTooMuch = () => this.#items > maxRequests || this.#bytes > MOST_BYTES;
    while (this.#oldest !== undefined && (isTooMuch() || atMs - this.#oldest.atMs > maxAgeMs))
      this.#forget(this.#oldest);
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
    if (kept.judged?.has(index))
      throw new AppError('CONFLICT', `The answer with the id ${boundedName(id)} has its feedback already.`);
    const judgment = judge(answered);
    kept.judged ??= new Set();
    kept.judged.add(index);
    return judgment;
  }

  /** A number, because the outcome itself holds large tensors. */
  #numberOf(outcome: object): number {
    const known = this.#numbers.get(outcome);
    if (known !== undefined) return known;
    this.#numbered += 1;
    this.#numbers.set(outcome, this.#numbered);
    return this.#numbered;
  }

  #forget(oldest: KeptRequest): void {
    const { key, items, bytes, newer } = oldest;
    this.#items -= items.length;
    this.#bytes -= bytes;
    if (this.#kept.get(key) === oldest) this.#kept.delete(key);
    this.#oldest = newer;
    if (newer === undefined) this.#newest = undefined;
  }
}

/** Copy of outputs that are small enough to be kept; the originals may share memory with larger tensors. */
function small(outputs: TensorMap | undefined): TensorMap | undefined {
  return outputs === undefined || tensorBytes(outputs) > MOST_OUTPUT_BYTES ? undefined : copyTensors(outputs);
}

function itemBytes({ outputs = {} }: AnsweredItem): number {
  return ITEM_BYTES + TENSOR_BYTES * Object.keys(outputs).length + tensorBytes(outputs);
}

/** Names of tenants have no spaces. */
const keyOf = (tenant: string | undefined, id: string): string => `${tenant ?? ''} ${id}`;
