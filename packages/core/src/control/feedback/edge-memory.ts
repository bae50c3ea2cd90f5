/**
 * Counts of an edge in blocks of ten seconds (longer with little traffic), and estimates from the last twelve blocks.
 *
 * An estimate is a ratio of sums: items per output, or taken ÷ offered outputs. The pipeline file's value weighs like 20
 * outputs. Fan-out blocks are clipped at five standard deviations (by the median absolute deviation) from the median.
 *
 * Outputs of the same moment are correlated, so the standard error is computed over blocks (Cochran, Sampling
 * Techniques, 1977, section 6.3). It is at least that of independent outputs.
 */
import { medianOf } from '../../kernel/count-statistics.js';
import type { EdgeTally } from '../../model/decision.js';

export interface EdgeMemory {
  /** Full blocks, oldest first. */
  readonly blocks: readonly EdgeTally[];
  readonly open: EdgeTally;
  /** Start of the open block (ms); absent before the first tick. */
  readonly openSinceMs?: number;
}

export interface EdgeEstimate {
  readonly value: number;
  readonly standardError: number;
  readonly outputs: number;
}

const BLOCK_MS = 10_000;
/** A block with fewer outputs stays open longer, up to a minute. */
const FEWEST_OF_BLOCK = 10;
const LONGEST_BLOCK_MS = 60_000;
const REMEMBERED_BLOCKS = 12;
const FEWEST_BLOCKS = 4;
/** Weight of the stated value, in outputs. */
const STATED_OUTPUTS = 20;
const REACH = 5;
/** Minimum standard deviation ÷ median. A constant fan-out would have 0. */
const LEAST_DEVIATION_FRACTION = 0.1;
/** Turns the median absolute deviation into a standard deviation (normal law). */
const NORMAL_SCALE = 1.4826;

const nothing: EdgeTally = { offered: 0, taken: 0, fanOuts: 0, items: 0 };

export const emptyMemory: EdgeMemory = { blocks: [], open: nothing };

export function withCounts(before: EdgeMemory, counts: EdgeTally, atMs: number): EdgeMemory {
  const open = sumOf(before.open, counts);
  const { openSinceMs = atMs } = before;
  // The clock may have been set back.
  const sinceMs = Math.min(openSinceMs, atMs);
  const ageMs = atMs - sinceMs;
  const outputs = outputsOf(open);
  const isFull = ageMs >= LONGEST_BLOCK_MS || (ageMs >= BLOCK_MS && outputs >= FEWEST_OF_BLOCK);
  if (!isFull) return { ...before, open, openSinceMs: sinceMs };
  const blocks = outputs === 0 ? before.blocks : [...before.blocks, open].slice(-REMEMBERED_BLOCKS);
  return { blocks, open: nothing, openSinceMs: atMs };
}

/** Drops the open block. */
export const withoutOpen = ({ blocks }: EdgeMemory): EdgeMemory => ({ ...emptyMemory, blocks });

/** Drops the oldest blocks that new ones would have displaced during a stop of `stoppedMs`. */
export function withoutStopped({ blocks }: EdgeMemory, stoppedMs: number): EdgeMemory {
  const places = Math.max(0, REMEMBERED_BLOCKS - Math.floor(stoppedMs / BLOCK_MS));
  return { ...emptyMemory, blocks: places === 0 ? [] : blocks.slice(-places) };
}

/** Mean items of a fan-out whose stated value is `stated`; undefined if counts are too few. */
export function itemsEstimate({ blocks }: EdgeMemory, stated: number): EdgeEstimate | undefined {
  const seen = blocks.filter(({ fanOuts }) => fanOuts > 0).map(({ fanOuts, items }) => ({ of: fanOuts, sum: items }));
  return estimateOf(withoutOutliers(seen), stated, (mean) => mean);
}

/** Probability of a branch whose stated value is `stated`; undefined if counts are too few. */
export function shareEstimate({ blocks }: EdgeMemory, stated: number): EdgeEstimate | undefined {
  const seen = blocks.filter(({ offered }) => offered > 0).map(({ offered, taken }) => ({ of: offered, sum: taken }));
  return estimateOf(seen, stated, (share) => share * (1 - share));
}

const outputsOf = ({ offered, fanOuts }: EdgeTally): number => Math.max(offered, fanOuts);

function sumOf(a: EdgeTally, b: EdgeTally): EdgeTally {
  return {
    offered: a.offered + b.offered,
    taken: a.taken + b.taken,
    fanOuts: a.fanOuts + b.fanOuts,
    items: a.items + b.items,
  };
}

interface Block {
  readonly of: number;
  readonly sum: number;
}

/** `varianceAt`: variance of one independent output at a mean (Poisson items, or one draw of a branch). */
function estimateOf(
  blocks: readonly Block[],
  stated: number,
  varianceAt: (mean: number) => number,
): EdgeEstimate | undefined {
  if (blocks.length < FEWEST_BLOCKS) return undefined;
  const outputs = total(blocks, ({ of }) => of);
  const ratio = total(blocks, ({ sum }) => sum) / outputs;
  const value = (STATED_OUTPUTS * stated + outputs * ratio) / (STATED_OUTPUTS + outputs);
  const between = total(blocks, ({ of, sum }) => (sum - of * ratio) ** 2) / outputs ** 2;
  const ofBlocks = Math.sqrt((between * blocks.length) / (blocks.length - 1));
  const ofOutputs = Math.sqrt(varianceAt(value) / outputs);
  return { value, outputs, standardError: Math.max(ofBlocks, ofOutputs) };
}

function withoutOutliers(blocks: readonly Block[]): readonly Block[] {
  if (blocks.length === 0) return blocks;
  const ratios = blocks.map(({ of, sum }) => sum / of);
  const middle = medianOf(ratios);
  // If most blocks have no items, blocks with items are not outliers.
  if (middle === 0) return blocks;
  const deviation = NORMAL_SCALE * medianOf(ratios.map((ratio) => Math.abs(ratio - middle)));
  const reach = REACH * Math.max(deviation, LEAST_DEVIATION_FRACTION * middle);
  return blocks.map(({ of, sum }) => ({
    of,
    sum: Math.min(Math.max(sum, of * (middle - reach)), of * (middle + reach)),
  }));
}

const total = <T>(all: readonly T[], amountOf: (each: T) => number): number =>
  all.reduce((sum, each) => sum + amountOf(each), 0);
