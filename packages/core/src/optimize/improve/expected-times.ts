/**
 * Fast estimate of a choice's latency, which simulations correct. Stages are nearly independent, so means add along a
 * path, and so do squared spreads (percentile minus mean). A join waits for the slowest awaited branch.
 */
import { estimateStage } from '../../estimate/stage-sojourn.js';
import { stageQueryOf } from '../options/option-times.js';
import type { PreparedStage } from '../options/prepared-stage.js';
import type { StageOption } from '../options/stage-option.js';
import type { PlanningGraph } from '../problem/planning-graph.js';

/** Times in ms. `vague`: guessed between two bounds, because of a CPU share. */
export interface ExpectedTimes {
  readonly meanMs: number;
  readonly spreadMs: number;
  readonly vague: boolean;
}

/** The CPU-time bucket counts as full below load factor `FREE`, as empty above `EMPTY`. */
const FREE = 0.2;
const EMPTY = 0.7;
/** Factor on times if full batches have less capacity than the load: then the queue never shrinks. */
const OVERLOADED = 30;

/**
 * Times of an option. Those of a CPU share below one core lie between two bounds: a whole core (CPU-time bucket full)
 * and the stretched curve (bucket empty).
 */
export function expectedTimes(prepared: PreparedStage, option: StageOption): ExpectedTimes {
  const { meanMs, tailMs } = option;
  if (option.exact) return { meanMs, spreadMs: Math.max(0, tailMs - meanMs), vague: false };
  const upper = estimateStage(stageQueryOf(prepared, option));
  const empty = Math.min(1, Math.max(0, (upper.loadFactor - FREE) / (EMPTY - FREE)));
  const between = (low: number, high: number): number =>
    Number.isFinite(high) ? low ** (1 - empty) * high ** empty : low * OVERLOADED;
  const mean = between(meanMs, Math.max(meanMs, upper.meanMs));
  const tail = between(tailMs, Math.max(tailMs, upper.quantileMs(prepared.percentile / 100)));
  return { meanMs: mean, spreadMs: Math.max(0, tail - mean), vague: true };
}

/** Per stage: mean and squared spread of the slowest path up to its finish. */
export interface PathTimes {
  readonly meanMs: Float64Array;
  readonly squares: Float64Array;
}

export const pathTimes = (stages: number): PathTimes => ({
  meanMs: new Float64Array(stages),
  squares: new Float64Array(stages),
});

const totalMs = ({ meanMs, squares }: PathTimes, stage: number): number =>
  (meanMs[stage] as number) + Math.sqrt(squares[stage] as number);

/** The awaited predecessor that finishes last; −1 at an entry. */
function lastAwaited({ predecessors, awaited }: PlanningGraph, stage: number, times: PathTimes): number {
  const before = predecessors[stage] as readonly number[];
  if (before.length === 0) return -1;
  if (awaited[stage] !== before.length)
    return [...before].sort((a, b) => totalMs(times, a) - totalMs(times, b))[(awaited[stage] as number) - 1] as number;
  let last = before[0] as number;
  for (const p of before) if (totalMs(times, p) > totalMs(times, last)) last = p;
  return last;
}

/** Computes the finish of `stage`. Returns its last awaited predecessor. */
export function finishStage(graph: PlanningGraph, stage: number, of: ExpectedTimes, times: PathTimes): number {
  const last = lastAwaited(graph, stage, times);
  times.meanMs[stage] = (last < 0 ? 0 : (times.meanMs[last] as number)) + of.meanMs;
  times.squares[stage] = (last < 0 ? 0 : (times.squares[last] as number)) + of.spreadMs ** 2;
  return last;
}

/** `fractions`: contribution of each stage to the latency. Along the slowest path they sum to about 1. */
export interface ExpectedLatency {
  readonly latencyMs: number;
  readonly fractions: Float64Array;
}

/** Weight of a stage off the slowest path. */
const OFF_PATH = 0.25;

export function expectedLatency(graph: PlanningGraph, of: readonly ExpectedTimes[]): ExpectedLatency {
  const times = pathTimes(of.length);
  const before = new Int32Array(of.length);
  for (const stage of graph.order) before[stage] = finishStage(graph, stage, of[stage] as ExpectedTimes, times);
  let end = graph.outputs[0] as number;
  for (const stage of graph.outputs) if (totalMs(times, stage) > totalMs(times, end)) end = stage;
  const latencyMs = Math.max(1e-9, totalMs(times, end));
  const spread = Math.max(1e-9, Math.sqrt(times.squares[end] as number));
  const partOf = ({ meanMs, spreadMs }: ExpectedTimes): number => (meanMs + spreadMs ** 2 / spread) / latencyMs;
  const fractions = Float64Array.from(of, (each) => OFF_PATH * Math.min(1, partOf(each)));
  for (let stage = end; stage >= 0; stage = before[stage] as number)
    fractions[stage] = partOf(of[stage] as ExpectedTimes);
  return { latencyMs, fractions };
}
