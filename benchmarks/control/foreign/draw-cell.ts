/**
 * Cells for the loop whose generator knows nothing of it: chains and diamonds with service times of 0.05 to 3 s under
 * one of five load processes. All is drawn from one random stream.
 */
import {
  type PipelineSpec,
  type Rng,
  SeededRng,
  type StageId,
  stageId,
  type VariantSpec,
  variantId,
} from '@equipoise/core/model';
import type { ControlLoad } from '../loads.js';
import { type ControlMode, specFor } from '../pipelines.js';

export interface ForeignCell {
  readonly index: number;
  readonly shape: string;
  readonly mode: ControlMode;
  readonly spec: PipelineSpec;
  readonly load: ControlLoad;
  readonly peakRps: number;
  /** Service time (ms) of one item on the longest path, with the fastest variants. */
  readonly leastPathMs: number;
}

const LEAST_SERVICE_MS = 50;
const MOST_SERVICE_MS = 3000;
const BATCH_SIZES = [1, 2, 4, 8];
const DURATION_S = 900;
/** Rates hold for this long and have 20 levels. */
const HOLD_S = 5;
const LEVELS = 20;

class Draw {
  readonly rng: Rng;
  constructor(rng: Rng) {
    this.rng = rng;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.rng.next();
  }
  logBetween(low: number, high: number): number {
    return low * (high / low) ** this.rng.next();
  }
  whole(low: number, high: number): number {
    return low + Math.floor(this.rng.next() * (high - low + 1));
  }
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.rng.next());
  }
}

/** Seed of a text: FNV-1a. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

/** `min-cost` at even indices, `max-accuracy` at odd ones. Each load process has a fifth of the cells. */
export function drawCell(seedFrom: string, index: number): ForeignCell {
  const draw = new Draw(new SeededRng(seedOf(seedFrom)).fork(`foreign cell ${index}`));
  const diamond = draw.rng.next() < 0.3;
  const names = diamond ? ['in', 'left', 'right', 'out'] : ['first', 'second', 'third', 'fourth'];
  const stages = names.slice(0, diamond ? 4 : draw.whole(1, 4)).map((name) => drawStage(draw, stageId(name)));
  const ids = stages.map(({ id }) => id);
  const mode: ControlMode = index % 2 === 0 ? 'min-cost' : 'max-accuracy';
  const [spec, serviceS] = [{ ...bare(`foreign-${index}`, ids, diamond), stages }, serviceOf(stages, middle)];
  const pathMs = (ofS: readonly number[]) => 1000 * (diamond ? pathOfDiamond(ofS) : sumOf(ofS));
  const slo = { latencyMs: Math.round(draw.between(2.5, 5) * pathMs(serviceS)), percentile: 99 };
  const peakRps = draw.between(8, 32) / sumOf(serviceS);
  const load = drawLoad(draw, peakRps, index);
  return {
    index,
    shape: diamond ? 'diamond' : `chain of ${ids.length}`,
    mode,
    load,
    peakRps,
    leastPathMs: pathMs(serviceOf(stages, () => 0)),
    spec: specFor({ ...spec, slo }, mode, peakRps),
  };
}

function bare(name: string, ids: readonly StageId[], diamond: boolean): Omit<PipelineSpec, 'stages'> {
  const [a, b, c, d] = ids as [StageId, StageId, StageId, StageId];
  const edges = diamond
    ? [
        { from: a, to: b },
        { from: a, to: c },
        { from: b, to: d },
        { from: c, to: d },
      ]
    : ids.slice(1).map((to, i) => ({ from: ids[i] as StageId, to }));
  return {
    ...{ name, baseDir: '.', slo: { latencyMs: 0, percentile: 99 }, budget: {}, objective: { kind: 'max-accuracy' } },
    prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 },
    ...{ sources: [{ name: 'in', to: [a], tensors: [] }], edges, outputs: [{ from: ids.at(-1) as StageId }] },
    control: { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 30_000 },
    admission: { maxQueueLength: 1_000_000 },
  };
}

type Stage = PipelineSpec['stages'][number];

function drawStage(draw: Draw, id: StageId): Stage {
  const count = draw.whole(2, 3);
  const [fixedFraction, tail] = [draw.between(0.1, 0.7), draw.between(1.05, 1.6)];
  let serviceMs = draw.logBetween(LEAST_SERVICE_MS, MOST_SERVICE_MS / 2);
  let accuracy = draw.between(0.6, 0.8);
  let loadMs = draw.between(200, 2000);
  const variants = Array.from({ length: count }, (_, i): VariantSpec => {
    const profile = BATCH_SIZES.map((batchSize) => {
      const meanMs = serviceMs * (fixedFraction + (1 - fixedFraction) * batchSize);
      return { cpuCores: 1, batchSize, meanMs, p99Ms: tail * meanMs };
    });
    const variant = {
      ...{ id: variantId(`v${i}`), accuracy: { value: accuracy, metric: 'accuracy' }, cpuCores: [1], loadMs, profile },
      ...{ memoryBytes: 0, gpus: 0, parameters: {} },
    };
    serviceMs = Math.min(MOST_SERVICE_MS, serviceMs * draw.between(1.4, 2.5));
    accuracy += (1 - accuracy) * draw.between(0.2, 0.5);
    loadMs *= draw.between(1.1, 1.8);
    return variant;
  });
  return { id, kind: 'model', variants, bounds: { minReplicas: 1, maxReplicas: 64, maxBatchWaitMs: 0 }, pins: {} };
}

/** Index of the middle variant, of which the floor of `min-cost` is made. */
const middle = ({ variants }: Stage): number => Math.floor(variants.length / 2);

/** Service times (s) of one item, by stage. Variants are in ascending order of their service times. */
function serviceOf(stages: readonly Stage[], chosen: (stage: Stage) => number): readonly number[] {
  return stages.map((stage) => (stage.variants[chosen(stage)]?.profile?.[0]?.meanMs ?? 0) / 1000);
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

function pathOfDiamond([first = 0, left = 0, right = 0, last = 0]: readonly number[]): number {
  return first + Math.max(left, right) + last;
}

/** Rate (fraction of the peak) at a second. */
type Shape = (atS: number) => number;

/** Load processes, each with parameters of its own. */
const processes: Readonly<Record<string, (draw: Draw) => Shape>> = {
  sine: (draw) => {
    const [periodS, swing, phase] = [draw.between(240, 900), draw.between(0.3, 0.8), draw.between(0, 1)];
    return (atS) => (1 + swing * Math.sin(2 * Math.PI * (atS / periodS + phase))) / (1 + swing);
  },
  'two-states': (draw) => {
    const [low, highS, lowS] = [draw.between(0.2, 0.5), draw.between(20, 90), draw.between(60, 180)];
    return holding(
      () => ({ level: low, forS: draw.exponential(lowS) }),
      () => ({ level: 1, forS: draw.exponential(highS) }),
    );
  },
  plateaus: (draw) => {
    const next = () => ({ level: draw.between(0.2, 1), forS: draw.between(60, 180) });
    return holding(next, next);
  },
  spikes: (draw) => {
    const low = draw.between(0.3, 0.6);
    return holding(
      () => ({ level: low, forS: draw.between(90, 240) }),
      () => ({ level: draw.between(0.7, 1), forS: draw.between(10, 40) }),
    );
  },
  'up-and-down': (draw) => {
    const [low, topS] = [draw.between(0.15, 0.4), draw.between(0.3, 0.7) * DURATION_S];
    return (atS) => low + (1 - low) * (atS < topS ? atS / topS : (DURATION_S - atS) / (DURATION_S - topS));
  },
};

interface Held {
  readonly level: number;
  readonly forS: number;
}

/** Two alternating states. */
function holding(even: () => Held, odd: () => Held): Shape {
  let [count, untilS, level] = [0, 0, 0];
  return (atS) => {
    while (atS >= untilS) {
      const next = count++ % 2 === 0 ? even() : odd();
      [level, untilS] = [next.level, untilS + next.forS];
    }
    return level;
  };
}

function drawLoad(draw: Draw, peakRps: number, index: number): ControlLoad {
  const names = Object.keys(processes);
  const name = names[Math.floor(index / 2) % names.length] as string;
  const shape = (processes[name] as (draw: Draw) => Shape)(draw);
  let level = 0;
  const ratesRps = Array.from({ length: DURATION_S }, (_, second) => {
    if (second % HOLD_S === 0) level = Math.max(1, Math.round(LEVELS * shape(second))) / LEVELS;
    return level * peakRps;
  });
  const arrivalsPerSecond = ratesRps.map((rateRps) => {
    let count = 0;
    for (let atS = draw.exponential(1 / rateRps); atS < 1; atS += draw.exponential(1 / rateRps)) count += 1;
    return count;
  });
  return { name, kind: 'jumping', spec: { kind: 'trace', arrivalsPerSecond, spread: 'poisson' }, ratesRps };
}
