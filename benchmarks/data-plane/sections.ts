/** Sections of the data-plane benchmark: the full amount, the measurement and its bars. */
import { atLeast, atMost, type Bar, bar, holds, told } from './bar.js';
import { type FaultFigures, measureFaults } from './faults.js';
import { fuzzBars } from './fuzz-bars.js';
import { measureFuzz } from './fuzz-run.js';
import { measureHttpOverload } from './http-overload.js';
import { measureMonitoring, monitoringBars } from './monitoring.js';
import { measureOverhead } from './overhead.js';
import { measureOverload, type OverloadFigures } from './overload.js';
import { peerBars } from './peers-bars.js';
import { measurePeers } from './peers-run.js';
import { measurePlanChanges, planChangeBars } from './plan-changes.js';
import { measureBombs, measureHangs, type PoisonFigures } from './poison.js';
import { measureSoak, type SoakFigures } from './soak.js';
import { hopBars, overheadBars, throughputBars } from './speed-bars.js';
import { measureStops, stopBars } from './stops.js';
import { measureHops, measureThroughput } from './throughput.js';

/** A measurement with its bars; `full` is the amount of a full run. */
export interface Section {
  readonly name: string;
  readonly unit: 'minutes' | 'requests' | 'times';
  readonly full: number;
  readonly measure: (amount: number) => Promise<unknown>;
  /** Bars of the figures that `measure` returned. */
  readonly bars: (figures: never) => readonly Bar[];
}

const MINUTE_MS = 60_000;
const ROUNDS = 5;
const GENERATIONS = 12;
/** Turns of the four servers of a generation. */
const TURNS = 8;

const MEMORY_GROWTH_BYTES = 8 * 1024 ** 2;

/** Bars of the overload. */
export function overloadBars(figures: OverloadFigures): readonly Bar[] {
  const { capacityRps, goodputRps, p99Ms, sloLatencyMs, slowestDropMs, dropsAfterDeadline, memoryBytes } = figures;
  const growth = memoryBytes[1] - memoryBytes[0];
  const share = goodputRps / capacityRps;
  return [
    bar(`goodput at ${figures.offeredRps.toFixed(0)} rps ÷ capacity (${capacityRps.toFixed(1)} rps)`, share, 3, [
      0.9,
      Number.POSITIVE_INFINITY,
    ]),
    bar('p99 of the completed, ms', p99Ms, 1, [0, sloLatencyMs]),
    bar('slowest answer to a drop after the decision, ms', slowestDropMs, 1, [0, 50]),
    bar(`drops answered after the deadline (of ${figures.dropped})`, dropsAfterDeadline, 0, [0, 0]),
    bar('growth of memory over two thirds of the overload, MiB', growth / 1024 ** 2, 2, [
      -Infinity,
      MEMORY_GROWTH_BYTES / 1024 ** 2,
    ]),
    bar('normal again after, ms', figures.normalAfterMs, 0, [0, 5_000]),
    bar('failed', figures.failed, 0, [0, 0]),
  ];
}

/** Bars of the faults. */
export function faultBars({
  requests,
  kills,
  retriedItems,
  lostFraction,
  slowestMs,
  timeoutMs,
}: FaultFigures): readonly Bar[] {
  return [
    bar(
      `fraction of ${requests} requests dropped or failed at ${kills} kills (${retriedItems} items retried)`,
      lostFraction,
      5,
      [0, 0.001],
    ),
    bar('slowest answer, ms: none hangs', slowestMs, 0, [0, timeoutMs + 100]),
  ];
}

/** Bars of inputs that hang a stage. */
export function hangBars({ good, goodCompleted, goodLosses, bad, badEnds, ...figures }: PoisonFigures): readonly Bar[] {
  return [
    bar(`lost of ${good} good requests ${JSON.stringify(goodLosses)}`, good - goodCompleted, 0, [0, 0]),
    bar(
      `of ${bad} inputs that hang the stage, not refused as such`,
      bad - (badEnds['REQUEST_QUARANTINED'] ?? 0),
      0,
      [0, 0],
    ),
    told('replicas replaced; p99 of the good, ms', `${figures.hungReplicas}; ${figures.goodP99Ms.toFixed(0)}`),
  ];
}

/** Bars of image bombs. */
export function bombBars({ good, goodCompleted, bad, badEnds, ...figures }: PoisonFigures): readonly Bar[] {
  return [
    atLeast(`fraction of ${good} good images answered within the SLO`, goodCompleted / good, 4, 0.97),
    told(`ends of ${bad} bombs`, JSON.stringify(badEnds)),
    told('replicas replaced; p99 of the good, ms', `${figures.hungReplicas}; ${figures.goodP99Ms.toFixed(0)}`),
  ];
}

/** Bars of the soak. */
export function soakBars(figures: SoakFigures): readonly Bar[] {
  const { requests, failed, keptBytes, residentBytes, openDescriptors, p99Ms } = figures;
  const inMib = (bytes: readonly number[]): string => bytes.map((one) => (one / 1024 ** 2).toFixed(1)).join(', ');
  return [
    atMost(`fraction of ${requests} requests without a 200`, failed / requests, 5, 0.001),
    atMost(
      'growth of memory, MiB',
      (last(keptBytes) - first(keptBytes)) / 1024 ** 2,
      2,
      MEMORY_GROWTH_BYTES / 1024 ** 2,
    ),
    atMost('descriptors more at the end', last(openDescriptors) - first(openDescriptors), 0, 5),
    holds('it ended without an error', figures.endedWell),
    told('p99 of the first, of the last piece, ms', `${first(p99Ms).toFixed(1)}; ${last(p99Ms).toFixed(1)}`),
    told('resident at first, at last, MiB', inMib([first(residentBytes), last(residentBytes)])),
  ];
}

const first = (values: readonly number[]): number => values[0] ?? Number.NaN;
const last = (values: readonly number[]): number => values.at(-1) ?? Number.NaN;

export const sections: readonly Section[] = [
  timed(
    'throughput',
    3,
    (ms) => measureThroughput({ rounds: ROUNDS, seconds: ms / 1000 / ROUNDS / 4 }),
    throughputBars,
  ),
  timed('hops', 3, (ms) => measureHops({ rounds: ROUNDS, seconds: ms / 1000 / ROUNDS / 6 }), hopBars),
  timed('overhead', 3, (ms) => measureOverhead({ rounds: ROUNDS, seconds: ms / 1000 / ROUNDS / 3 }), overheadBars),
  timed(
    'monitoring',
    6,
    (ms) => measureMonitoring({ generations: GENERATIONS, seconds: ms / 1000 / GENERATIONS / TURNS }),
    monitoringBars,
  ),
  timed('overload', 5, measureOverload, overloadBars),
  timed('overload-http', 5, measureHttpOverload, overloadBars),
  timed('faults', 10, measureFaults, faultBars),
  timed('hangs', 10, measureHangs, hangBars),
  timed('bombs', 2, measureBombs, bombBars),
  timed('peers', 8, (ms) => measurePeers({ rounds: ROUNDS, seconds: ms / 1000 / ROUNDS / 12 }), peerBars),
  timed('soak', 120, measureSoak, soakBars),
  { name: 'fuzz', unit: 'requests', full: 200_000, measure: (requests) => measureFuzz(requests), bars: fuzzBars },
  { name: 'plan-changes', unit: 'times', full: 500, measure: measurePlanChanges, bars: planChangeBars },
  { name: 'stops', unit: 'times', full: 50, measure: measureStops, bars: stopBars },
];

function timed<Figures>(
  name: string,
  minutes: number,
  measure: (durationMs: number) => Promise<Figures>,
  bars: (figures: Figures) => readonly Bar[],
): Section {
  return { name, unit: 'minutes', full: minutes, measure: (amount) => measure(amount * MINUTE_MS), bars };
}
