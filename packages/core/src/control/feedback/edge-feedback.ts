/**
 * What serving says about fan-outs and branches. The counts of each edge are gathered in blocks of at least ten seconds, of which the last
 * twelve count: two minutes behind a change of the traffic nothing is left of what was before it, and where little arrives, blocks last
 * longer so that there is something in them.
 *
 * The estimate is the ratio of the sums over the blocks (items by outputs, or taken by offered), joined with what the pipeline file says as
 * if that had been seen in 20 outputs. A block whose ratio lies far from the median of the blocks counts only as far as five standard
 * deviations (by the median absolute deviation) reach: one answer with ten thousand items is no change of the traffic. Outputs of one
 * moment are alike, so the standard error is that of the blocks (ratio estimator: Cochran, Sampling Techniques, 1977, §6.3), and no less
 * than independent outputs would give.
 */
import type { EdgeCount } from '../../model/decision.js';

/** What was counted of an edge; plain data. */
export interface EdgeMemory {
  /** Blocks that are full, oldest first. */
  readonly blocks: readonly EdgeCount[];
  /** The one that is being filled. */
  readonly open: EdgeCount;
  /** Since when; missing before the first tick. */
  readonly openSinceMs?: number;
}

/** A ratio with its standard error, and the outputs it rests on. */
export interface EdgeEstimate {
  readonly value: number;
  readonly standardError: number;
  readonly outputs: number;
}

const BLOCK_MS = 10_000;
/** A block with fewer outputs is filled on, but not for longer than a minute. */
const FEWEST_OF_BLOCK = 10;
const LONGEST_BLOCK_MS = 60_000;
const REMEMBERED_BLOCKS = 12;
/** Fewer say nothing of how they differ. */
const FEWEST_BLOCKS = 4;
/** Outputs that the pipeline file counts for. */
const STATED_OUTPUTS = 20;
/** Standard deviations from the median of the blocks up to which a block counts. */
const REACH = 5;
/** The standard deviation is taken for no less than this part of the median: a fan-out that always gives the same has none. */
const LEAST_DEVIATION_FRACTION = 0.1;
/** From the median absolute deviation to the standard deviation of a normal law. */
const NORMAL_SCALE = 1.4826;

const nothing: EdgeCount = { offered: 0, taken: 0, fanOuts: 0, items: 0 };

/** An edge of which nothing was counted. */
export const nothingCounted: EdgeMemory = { blocks: [], open: nothing };

/** The memory with what was counted until `atMs`. */
export function withCounts(before: EdgeMemory, counts: EdgeCount, atMs: number): EdgeMemory {
  const open = sumOf(before.open, counts);
  const { openSinceMs = atMs } = before;
  // A clock that was set back begins a new block.
  const sinceMs = Math.min(openSinceMs, atMs);
  const ageMs = atMs - sinceMs;
  const outputs = outputsOf(open);
  const isFull = ageMs >= LONGEST_BLOCK_MS || (ageMs >= BLOCK_MS && outputs >= FEWEST_OF_BLOCK);
  if (!isFull) return { ...before, open, openSinceMs: sinceMs };
  const blocks = outputs === 0 ? before.blocks : [...before.blocks, open].slice(-REMEMBERED_BLOCKS);
  return { blocks, open: nothing, openSinceMs: atMs };
}

/** The memory after a stop: the blocks of the time that has passed are gone as if others had come in their place. */
export function withoutStopped({ blocks }: EdgeMemory, stoppedMs: number): EdgeMemory {
  const places = Math.max(0, REMEMBERED_BLOCKS - Math.floor(stoppedMs / BLOCK_MS));
  return { ...nothingCounted, blocks: places === 0 ? [] : blocks.slice(-places) };
}

/** Mean number of items of a fan-out of which the pipeline file says `stated`; undefined while too little was seen. */
export function itemsEstimate({ blocks }: EdgeMemory, stated: number): EdgeEstimate | undefined {
  const seen = blocks.filter(({ fanOuts }) => fanOuts > 0).map(({ fanOuts, items }) => ({ of: fanOuts, sum: items }));
  return estimateOf(withoutOutliers(seen), stated, (mean) => mean);
}

/** Share of the outputs that take a branch of which the pipeline file says `stated`; undefined while too little was seen. */
export function shareEstimate({ blocks }: EdgeMemory, stated: number): EdgeEstimate | undefined {
  const seen = blocks.filter(({ offered }) => offered > 0).map(({ offered, taken }) => ({ of: offered, sum: taken }));
  return estimateOf(seen, stated, (share) => share * (1 - share));
}

const outputsOf = ({ offered, fanOuts }: EdgeCount): number => Math.max(offered, fanOuts);

function sumOf(a: EdgeCount, b: EdgeCount): EdgeCount {
  return {
    offered: a.offered + b.offered,
    taken: a.taken + b.taken,
    fanOuts: a.fanOuts + b.fanOuts,
    items: a.items + b.items,
  };
}

/** A sum over so many outputs. */
interface Block {
  readonly of: number;
  readonly sum: number;
}

/** `varianceAt` is that of one output around a mean, were outputs independent: Poisson items, or one draw of a branch. */
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
  const middle = median(ratios);
  // Where most blocks have no items at all, the others are no outliers but all that there is.
  if (middle === 0) return blocks;
  const deviation = NORMAL_SCALE * median(ratios.map((ratio) => Math.abs(ratio - middle)));
  const reach = REACH * Math.max(deviation, LEAST_DEVIATION_FRACTION * middle);
  return blocks.map(({ of, sum }) => ({
    of,
    sum: Math.min(Math.max(sum, of * (middle - reach)), of * (middle + reach)),
  }));
}

const total = (blocks: readonly Block[], each: (block: Block) => number): number =>
  blocks.reduce((sum, block) => sum + each(block), 0);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
