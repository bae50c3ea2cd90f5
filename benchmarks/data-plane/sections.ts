/** What the benchmarks of the data plane claim: a full time, a measurement and its bars. */
import { type FaultFigures, measureFaults } from './faults.js';
import { measureOverload, type OverloadFigures } from './overload.js';

/** A claim with its figure and the bar that it is held to. */
export interface Bar {
  readonly claim: string;
  readonly figure: string;
  readonly bar: string;
  readonly met: boolean;
}

/** A measurement and what it must show; `minutes` is the full time. */
export interface Section {
  readonly name: string;
  readonly minutes: number;
  readonly measure: (durationMs: number) => Promise<unknown>;
  /** Of what `measure` gave. */
  readonly bars: (figures: never) => readonly Bar[];
}

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

/** All of them. */
export const sections: readonly Section[] = [
  { name: 'overload', minutes: 5, measure: measureOverload, bars: overloadBars },
  { name: 'faults', minutes: 10, measure: measureFaults, bars: faultBars },
];

function bar(claim: string, value: number, digits: number, [least, most]: readonly [number, number]): Bar {
  const met = value >= least && value <= most;
  const text = Number.isFinite(most) ? `≤ ${most}` : `≥ ${least}`;
  return { claim, figure: value.toFixed(digits), bar: text, met };
}
