/**
 * Record of the arrivals of the last ten minutes in constant memory.
 *
 * A block of 10 s has equal windows, each about as long as the SLO. Dispersion at the SLO: variance ÷ mean of a block's
 * window counts, averaged without the outermost tenths. Dispersion at 10 s: (N₋ − 2N + N₊)² ÷ 6 ÷ mean of three
 * successive block counts, averaged without the largest tenth. So ramps cancel out and steps are trimmed.
 */
import { type ArrivalEnvelope, type Burstiness, LONG_WINDOW_MS, poissonBurstiness } from './expected-load.js';

const KEPT_SECONDS = 600;
const SLOTS = KEPT_SECONDS + 1;
const KEPT_BLOCKS = (KEPT_SECONDS * 1000) / LONG_WINDOW_MS;
/** Two minutes: with fewer blocks, second differences are too noisy. */
const FEWEST_BLOCKS = 12;
const FEWEST_PER_BLOCK = 5;
const FEWEST_WINDOWS = 5;
const TRIMMED_FRACTION = 0.1;
/** Mean of the lowest nine tenths of χ² with one degree of freedom. */
const TRIMMED_CHI_SQUARE = 0.623;
/**
 * Neighbouring second differences correlate (−2/3 and 1/6). The correlation of their squares reduces the effective
 * sample.
 */
const CORRELATED = 1 + 2 * ((2 / 3) ** 2 + (1 / 6) ** 2);
const SIGNIFICANT_ERRORS = 4;
const LATEST_S = [0.25, 0.5, 1];
const TICK_MS = 10;
const TICKS = 1000 / TICK_MS + 1;

interface Block {
  readonly index: number;
  total: number;
  squares: number;
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;

/** Instants must not decrease. */
export class ArrivalRecord {
  readonly #startedAtMs: number;
  readonly #windowsPerBlock: number;
  readonly #windowMs: number;
  readonly #counts = new Float64Array(SLOTS);
  readonly #seconds = new Float64Array(SLOTS).fill(-1);
  readonly #tickCounts = new Float64Array(TICKS);
  readonly #ticks = new Float64Array(TICKS).fill(-1);
  readonly #blocks: Block[] = [];
  #window = 0;
  #inWindow = 0;

  constructor(startedAtMs: number, sloLatencyMs: number) {
    this.#startedAtMs = startedAtMs;
    this.#windowsPerBlock = Math.max(FEWEST_WINDOWS, Math.round(LONG_WINDOW_MS / sloLatencyMs));
    this.#windowMs = LONG_WINDOW_MS / this.#windowsPerBlock;
  }

  arrived(atMs: number): void {
    const sinceMs = atMs - this.#startedAtMs;
    const second = Math.floor(sinceMs / 1000);
    const slot = second % SLOTS;
    if (this.#seconds[slot] !== second) this.#counts[slot] = 0;
    this.#seconds[slot] = second;
    this.#counts[slot] = (this.#counts[slot] as number) + 1;
    const tick = Math.floor(sinceMs / TICK_MS);
    const tickSlot = tick % TICKS;
    if (this.#ticks[tickSlot] !== tick) this.#tickCounts[tickSlot] = 0;
    this.#ticks[tickSlot] = tick;
    this.#tickCounts[tickSlot] = (this.#tickCounts[tickSlot] as number) + 1;
    const window = Math.floor(sinceMs / this.#windowMs);
    if (window !== this.#window) this.#closeWindow();
    this.#window = window;
    this.#inWindow += 1;
  }

  /** Counts of whole seconds, oldest first; at most 600. */
  arrivalsPerSecond(nowMs: number): readonly number[] {
    const running = Math.floor((nowMs - this.#startedAtMs) / 1000);
    const kept = Math.min(running, KEPT_SECONDS);
    return Array.from({ length: kept }, (_, i) => {
      const second = running - kept + i;
      return this.#seconds[second % SLOTS] === second ? (this.#counts[second % SLOTS] as number) : 0;
    });
  }

  /** Arrivals of the last 0.25, 0.5 and 1 s (to 10 ms). Windows longer than the record are absent. */
  latest(nowMs: number): ArrivalEnvelope {
    const end = Math.floor((nowMs - this.#startedAtMs) / TICK_MS);
    return LATEST_S.filter((windowS) => (1000 * windowS) / TICK_MS <= end).map((windowS) => {
      let arrivals = 0;
      for (let tick = end - (1000 * windowS) / TICK_MS; tick < end; tick++)
        if (this.#ticks[tick % TICKS] === tick) arrivals += this.#tickCounts[tick % TICKS] as number;
      return { windowS, arrivals };
    });
  }

  /** Undefined if blocks or arrivals are too few. */
  burstiness(nowMs: number): Burstiness | undefined {
    const blocks = this.#wholeBlocks(nowMs);
    const totals = blocks.map(({ total }) => total);
    if (blocks.length < FEWEST_BLOCKS || meanOf(totals) < FEWEST_PER_BLOCK) return undefined;
    const dispersionAtSlo = this.#withinBlocks(blocks);
    const dispersionAt10s = Math.max(dispersionAtSlo, dispersionBetweenBlocks(totals));
    return dispersionAt10s === 1 ? poissonBurstiness : { sloMs: this.#windowMs, dispersionAtSlo, dispersionAt10s };
  }

  #closeWindow(): void {
    const index = Math.floor(this.#window / this.#windowsPerBlock);
    let block = this.#blocks.at(-1);
    if (block?.index !== index) {
      block = { index, total: 0, squares: 0 };
      this.#blocks.push(block);
      if (this.#blocks.length > KEPT_BLOCKS + 1) this.#blocks.shift();
    }
    block.total += this.#inWindow;
    block.squares += this.#inWindow ** 2;
    this.#inWindow = 0;
  }

  #wholeBlocks(nowMs: number): readonly Block[] {
    const running = Math.floor((nowMs - this.#startedAtMs) / LONG_WINDOW_MS);
    if (this.#inWindow > 0 && Math.floor(this.#window / this.#windowsPerBlock) < running) this.#closeWindow();
    const count = Math.min(running, KEPT_BLOCKS);
    const known = new Map(this.#blocks.map((block) => [block.index, block]));
    return Array.from({ length: count }, (_, i) => {
      const index = running - count + i;
      return known.get(index) ?? { index, total: 0, squares: 0 };
    });
  }

  #withinBlocks(blocks: readonly Block[]): number {
    const windows = this.#windowsPerBlock;
    const ratios = blocks
      .filter(({ total }) => total > 0)
      .map(({ total, squares }) => (squares - total ** 2 / windows) / (windows - 1) / (total / windows))
      .sort((a, b) => a - b);
    const trimmed = Math.floor(ratios.length * TRIMMED_FRACTION);
    const kept = ratios.slice(trimmed, ratios.length - trimmed);
    return significantDispersion(meanOf(kept), Math.sqrt(2 / (kept.length * (windows - 1))));
  }
}

function dispersionBetweenBlocks(totals: readonly number[]): number {
  const ratios = totals
    .slice(2)
    .map((after, i) => {
      const [before, at] = [totals[i] as number, totals[i + 1] as number];
      return (before - 2 * at + after) ** 2 / (2 * Math.max(1, before + at + after));
    })
    .sort((a, b) => a - b);
  const kept = ratios.slice(0, Math.ceil(ratios.length * (1 - TRIMMED_FRACTION)));
  return significantDispersion(meanOf(kept) / TRIMMED_CHI_SQUARE, Math.sqrt((2 * CORRELATED) / kept.length));
}

function significantDispersion(dispersion: number, standardError: number): number {
  return dispersion > 1 + SIGNIFICANT_ERRORS * standardError ? dispersion : 1;
}
