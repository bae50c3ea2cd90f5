/** Answered requests that wait for feedback: bounded in number and age. They hold no tensors. */
import { AppError, boundedName, type PipelineSpec } from '@equipoise/core/model';
import type { VariantChoice } from './served-variants.js';

/** `choices` has one entry per item of a client batch. */
export interface AnsweredRequest {
  readonly id: string;
  /** Undefined if the server has no tenants. */
  readonly tenant: string | undefined;
  readonly choices: readonly (VariantChoice | undefined)[];
}

/** `item` may be omitted for a request of one item. `score` is a fraction, more is better. */
export interface Feedback {
  readonly id: string;
  readonly item?: number;
  readonly score: number;
}

type Bounds = NonNullable<PipelineSpec['feedback']>;

interface KeptRequest extends Pick<AnsweredRequest, 'choices'> {
  readonly atMs: number;
  /** Items with feedback. */
  readonly judged: Set<number>;
}

/** Longer ids are not kept. */
const MOST_ID_CHARACTERS = 200;

export class AnsweredRequests {
  readonly #bounds: Bounds;
  /** Oldest first. */
  readonly #kept = new Map<string, KeptRequest>();
  #items = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /** Replaces an earlier request of this id and tenant. */
  keep({ id, tenant, choices }: AnsweredRequest, atMs: number): void {
    if (id.length > MOST_ID_CHARACTERS) return;
    const key = keyOf(tenant, id);
    this.#remove(key);
    this.#kept.set(key, { choices, atMs, judged: new Set() });
    this.#items += choices.length;
    for (const [oldest, { atMs: keptAtMs }] of this.#kept) {
      if (this.#items <= this.#bounds.maxRequests && atMs - keptAtMs <= this.#bounds.maxAgeMs) break;
      this.#remove(oldest);
    }
  }

  /**
   * Marks an item as judged, and returns its variants. Throws AppError
   * NOT_FOUND for requests that are unknown, too old, or of another tenant; CONFLICT for a second feedback.
   */
  judge(
    { id, item }: Pick<Feedback, 'id' | 'item'>,
    tenant: string | undefined,
    nowMs: number,
  ): VariantChoice | undefined {
    const kept = this.#kept.get(keyOf(tenant, id));
    const { maxRequests, maxAgeMs } = this.#bounds;
    if (kept === undefined || nowMs - kept.atMs > maxAgeMs)
      throw new AppError(
        'NOT_FOUND',
        `No answer with the id ${boundedName(id)} is kept. The server keeps the last ${maxRequests} answers for ${maxAgeMs / 1000} s; it does not keep drops and failures.`,
        { details: { maxRequests, maxAgeMs } },
      );
    const items = kept.choices.length;
    const index = item ?? (items === 1 ? 0 : -1);
    if (!(index in kept.choices))
      throw new AppError(
        'INVALID_FIELDS',
        `The request has ${items} items. Set item to a number from 0 to ${items - 1}.`,
      );
    if (kept.judged.has(index))
      throw new AppError('CONFLICT', `The answer with the id ${boundedName(id)} has its feedback already.`);
    kept.judged.add(index);
    return kept.choices[index];
  }

  #remove(key: string): void {
    this.#items -= this.#kept.get(key)?.choices.length ?? 0;
    this.#kept.delete(key);
  }
}

/** Names of tenants have no spaces. */
const keyOf = (tenant: string | undefined, id: string): string => `${tenant ?? ''} ${id}`;
