/**
 * Extends each label by each option of a node. New labels stay if they keep the limits and their upper bound exceeds
 * `bar`. Options come best first, so the first one not above `bar` ends the loop.
 */
import type { Slot } from './cut-layout.js';
import { LabelStore } from './label-store.js';
import type { StepTerms } from './step-terms.js';

const FIRST_ROOM = 512;
const ascending = (a: number, b: number): number => a - b;

/** Priced score of a label minus its priced finish times and amounts. */
export function collectedWorth(terms: StepTerms, labels: LabelStore, label: number): number {
  const { slotPrices, unitPrices, scoreSlope } = terms;
  const at = label * labels.dims;
  let collected = scoreSlope * (labels.relaxedScore[label] as number);
  for (let s = 0; s < slotPrices.length; s++)
    collected -= (slotPrices[s] as number) * (labels.coordinates[at + s] as number);
  for (let k = 0; k < unitPrices.length; k++)
    collected -= (unitPrices[k] as number) * (labels.coordinates[at + slotPrices.length + k] as number);
  return collected;
}

/** The caller sets `bar`. Between labels it may shrink `next`. */
export class Expansion {
  readonly next: LabelStore;
  readonly #terms: StepTerms;
  readonly #from: LabelStore;
  readonly #amountCount: number;
  readonly #timed: boolean;
  readonly #newSlots: number;
  /** Start of the node (ms). */
  #startMs = 0;
  /** Latest finish per new slot, without this node (ms). */
  readonly #ready: Float64Array;
  bar = Number.NEGATIVE_INFINITY;

  constructor(terms: StepTerms, from: LabelStore, timed: boolean) {
    this.#terms = terms;
    this.#from = from;
    this.#timed = timed;
    this.#amountCount = terms.amountCeilings.length;
    this.#newSlots = terms.step.slots.length;
    this.#ready = new Float64Array(this.#newSlots);
    this.next = new LabelStore(this.#newSlots + this.#amountCount + terms.step.classes.length, FIRST_ROOM);
  }

  /**
   * Extends label `a`. Writes each successor at `next.count` and calls `take`, which raises `next.count` to keep it.
   */
  expand(a: number, take: (label: number) => void): void {
    const { order, worth, worthBehind, node, latestFinishMs } = this.#terms;
    const base = a * this.#from.dims;
    const before = this.#from.collected[a] as number;
    this.#begin(base);
    for (let i = 0; i < order.length; i++) {
      const o = order[i] as number;
      if (before + (worth[o] as number) + worthBehind <= this.bar) return;
      const finishMs = this.#startMs + (node.latencyMs[o] as number);
      if (this.#timed && finishMs > latestFinishMs) continue;
      if (this.#keepsAmounts(base, o) && this.#append(a, o)) take(this.next.count);
    }
  }

  expandBy(a: number, options: readonly number[], take: (label: number) => void): void {
    const { node, latestFinishMs } = this.#terms;
    const base = a * this.#from.dims;
    this.#begin(base);
    for (const o of options) {
      const finishMs = this.#startMs + (node.latencyMs[o] as number);
      if (this.#timed && finishMs > latestFinishMs) continue;
      if (this.#keepsAmounts(base, o) && this.#append(a, o)) take(this.next.count);
    }
  }

  #begin(base: number): void {
    if (!this.#timed) return;
    const times = this.#from.coordinates;
    const { startSlots, awaited, slots } = this.#terms.step;
    this.#startMs =
      awaited === startSlots.length
        ? latest(times, base, startSlots)
        : (startSlots.map((s) => times[base + s] as number).sort(ascending)[awaited - 1] as number);
    for (let s = 0; s < this.#newSlots; s++) this.#ready[s] = latest(times, base, (slots[s] as Slot).from);
  }

  #keepsAmounts(base: number, o: number): boolean {
    const { node, amountCeilings, oldSlots } = this.#terms;
    const used = this.#from.coordinates;
    for (let k = 0; k < this.#amountCount; k++) {
      const after = (used[base + oldSlots + k] as number) + ((node.amounts[k] as Float64Array)[o] as number);
      if (after > (amountCeilings[k] as number)) return false;
    }
    return true;
  }

  /** Returns false if the new label cannot reach floor or bar. */
  #append(a: number, o: number): boolean {
    const { node, scoreFloor, scoreWeight, step, worthBehind } = this.#terms;
    const score = node.score[o] as number;
    const relaxedScore = (this.#from.relaxedScore[a] as number) + scoreWeight * score;
    if (relaxedScore < scoreFloor) return false;
    const { next } = this;
    next.reserve();
    const { count } = next;
    const base = a * this.#from.dims;
    const to = count * next.dims;
    this.#writeSlots(to, o);
    this.#writeAmounts(base, to, o);
    this.#writeClasses(base, to, score);
    const oneClass = step.classes.length === 1;
    const known = oneClass ? -(next.coordinates[to + this.#newSlots + this.#amountCount] as number) : relaxedScore;
    next.relaxedScore[count] = Math.min(known, relaxedScore);
    const collected = collectedWorth(this.#terms, next, count);
    if (known < scoreFloor || collected + worthBehind <= this.bar) return false;
    next.collected[count] = collected;
    next.parent[count] = a;
    next.option[count] = o;
    return true;
  }

  #writeSlots(to: number, o: number): void {
    const { step, node } = this.#terms;
    const finishMs = this.#startMs + (node.latencyMs[o] as number);
    for (let s = 0; s < this.#newSlots; s++) {
      const ready = this.#ready[s] as number;
      this.next.coordinates[to + s] = (step.slots[s] as Slot).includesOwn && finishMs > ready ? finishMs : ready;
    }
  }

  #writeAmounts(base: number, to: number, o: number): void {
    const { node, oldSlots } = this.#terms;
    for (let k = 0; k < this.#amountCount; k++)
      this.next.coordinates[to + this.#newSlots + k] =
        (this.#from.coordinates[base + oldSlots + k] as number) + ((node.amounts[k] as Float64Array)[o] as number);
  }

  #writeClasses(base: number, to: number, score: number): void {
    const { classes } = this.#terms.step;
    const old = this.#from.coordinates;
    const oldAt = base + this.#terms.oldSlots + this.#amountCount;
    const newAt = to + this.#newSlots + this.#amountCount;
    for (let c = 0; c < classes.length; c++) {
      const { from } = classes[c] as (typeof classes)[number];
      const first = from[0] as (typeof from)[number];
      if (from.length === 1) {
        this.next.coordinates[newAt + c] = (old[oldAt + first.index] as number) - (first.visitsNode ? score : 0);
        continue;
      }
      let sum = 0;
      for (const { index, visitsNode } of from)
        sum += Math.exp((visitsNode ? score : 0) - (old[oldAt + index] as number));
      this.next.coordinates[newAt + c] = -Math.log(sum);
    }
  }
}

function latest(times: Float64Array, base: number, slots: readonly number[]): number {
  let at = 0;
  for (let i = 0; i < slots.length; i++) at = Math.max(at, times[base + (slots[i] as number)] as number);
  return at;
}
