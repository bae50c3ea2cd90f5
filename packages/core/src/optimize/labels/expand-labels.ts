/**
 * The labels behind a node: every label of the cut before with every option of the node that keeps the limits and whose bound passes the
 * bar. Options are tried from the best worth down, so the first that fails the bar ends the list.
 */
import type { Slot } from './cut-layout.js';
import { LabelStore } from './label-store.js';
import type { StepTerms } from './step-terms.js';

const FIRST_ROOM = 512;
const ascending = (a: number, b: number): number => a - b;

/** Expands labels over one node. The caller sets `bar` and may shrink `next` between two labels. */
export class Expansion {
  readonly next: LabelStore;
  readonly #terms: StepTerms;
  readonly #from: LabelStore;
  readonly #scoreSlope: number;
  readonly #amountCount: number;
  readonly #timed: boolean;
  readonly #newSlots: number;
  /** Of the label at hand: start (ms) of the node, and what is ready in each new slot without it. */
  #startMs = 0;
  readonly #ready: Float64Array;
  /** Least bound worth keeping. */
  bar = Number.NEGATIVE_INFINITY;

  constructor(terms: StepTerms, from: LabelStore, more: { readonly scoreSlope: number; readonly timed: boolean }) {
    this.#terms = terms;
    this.#from = from;
    this.#scoreSlope = more.scoreSlope;
    this.#timed = more.timed;
    this.#amountCount = terms.amountCeilings.length;
    this.#newSlots = terms.step.slots.length;
    this.#ready = new Float64Array(this.#newSlots);
    this.next = new LabelStore(this.#newSlots + this.#amountCount + terms.step.classes.length, FIRST_ROOM);
  }

  /** Appends the followers of label `a` to `next`; at the last node each is shown to `complete` instead. */
  expand(a: number, complete: (label: number) => void): void {
    const { order, worth, worthBehind, node, latestFinishMs, isLast } = this.#terms;
    const base = a * this.#from.dims;
    const before = this.#begin(a, base);
    for (let i = 0; i < order.length; i++) {
      const o = order[i] as number;
      if (before + (worth[o] as number) + worthBehind <= this.bar) return;
      const finishMs = this.#startMs + (node.latencyMs[o] as number);
      if (this.#timed && finishMs > latestFinishMs) continue;
      if (!this.#keepsAmounts(base, o)) continue;
      if (!this.#append(a, o, before + (worth[o] as number))) continue;
      if (isLast) complete(this.next.count);
      else this.next.count++;
    }
  }

  /** Finds when the node starts after label `a`; returns what the label has collected, less the price of waiting. */
  #begin(a: number, base: number): number {
    let collected = this.#from.collected[a] as number;
    if (!this.#timed) return collected;
    const times = this.#from.coordinates;
    const { step, startPrices } = this.#terms;
    const { startSlots } = step;
    this.#startMs = this.#startOf(times, base);
    for (let i = 0; i < startSlots.length; i++) {
      const waitMs = this.#startMs - (times[base + (startSlots[i] as number)] as number);
      if (waitMs > 0) collected -= (startPrices[i] as number) * waitMs;
    }
    for (let s = 0; s < this.#newSlots; s++) this.#ready[s] = latest(times, base, (step.slots[s] as Slot).from);
    return collected;
  }

  #startOf(times: Float64Array, base: number): number {
    const { startSlots, awaited } = this.#terms.step;
    if (awaited === startSlots.length) return latest(times, base, startSlots);
    return startSlots.map((s) => times[base + s] as number).sort(ascending)[awaited - 1] as number;
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

  /** Writes the label behind `next`; false when it cannot reach the floor or the bar after all. */
  #append(a: number, o: number, collectedBefore: number): boolean {
    const { node, scoreFloor, scoreWeight, step, oldSlots, worthBehind } = this.#terms;
    const score = node.score[o] as number;
    const relaxedScore = (this.#from.relaxedScore[a] as number) + scoreWeight * score;
    if (relaxedScore < scoreFloor) return false;
    const { next } = this;
    next.reserve();
    const base = a * this.#from.dims;
    const to = next.count * next.dims;
    let collected = collectedBefore - this.#writeSlots(base, to, o);
    this.#writeAmounts(base, to, o);
    this.#writeClasses(base, to, score);
    let scoreNow = relaxedScore;
    const oldClasses = this.#from.dims - oldSlots - this.#amountCount;
    if (oldClasses > 1 && step.classes.length === 1) {
      scoreNow = -(next.coordinates[to + this.#newSlots + this.#amountCount] as number);
      collected -= this.#scoreSlope * (relaxedScore - scoreNow);
      if (scoreNow < scoreFloor) return false;
    }
    if (collected + worthBehind <= this.bar) return false;
    next.collected[next.count] = collected;
    next.relaxedScore[next.count] = scoreNow;
    next.parent[next.count] = a;
    next.option[next.count] = o;
    return true;
  }

  /** Writes the finish times; returns the price of waiting where some merge. */
  #writeSlots(base: number, to: number, o: number): number {
    const { step, mergePrices, ownPrice, node } = this.#terms;
    const times = this.#from.coordinates;
    const finishMs = this.#startMs + (node.latencyMs[o] as number);
    let waiting = 0;
    for (let s = 0; s < this.#newSlots; s++) {
      const { from, includesOwn } = step.slots[s] as Slot;
      const ready = this.#ready[s] as number;
      const at = includesOwn && finishMs > ready ? finishMs : ready;
      this.next.coordinates[to + s] = at;
      if (from.length + (includesOwn ? 1 : 0) === 1) continue;
      if (includesOwn) waiting += ownPrice * (at - finishMs);
      const prices = mergePrices[s] as Float64Array;
      for (let i = 0; i < from.length; i++)
        waiting += (prices[i] as number) * (at - (times[base + (from[i] as number)] as number));
    }
    return waiting;
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
