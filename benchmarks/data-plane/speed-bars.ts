/** Bars of throughput and overhead. */
import { atLeast, atMost, type Bar, told } from './bar.js';
import type { OverheadFigures } from './overhead.js';
import { BARE, type HopFigures, type ThroughputFigures } from './throughput.js';

/** Minimum requests per second of one router core. The bare server has no bar. */
const leastRps: Readonly<Record<string, number>> = {
  'REST, JSON, 1 KB tensor': 6000,
  'gRPC, raw, 1 KB tensor': 6000,
  'REST, binary, 588 KiB tensor': 250,
};
/** Minimum requests per second of processor time ÷ those of the bare server in the same run. */
const leastRatio: Readonly<Record<string, number>> = {
  'REST, JSON, 1 KB tensor': 0.19,
  'gRPC, raw, 1 KB tensor': 0.25,
};
const MOST_ADDED_MS = 1;
const MOST_HOP_US = 40;

/** Bars of the throughput. */
export function throughputBars(figures: readonly ThroughputFigures[]): readonly Bar[] {
  const bare = figures.find(({ name }) => name === BARE)?.rpsPerProcessorSecond ?? Number.NaN;
  const ratios = figures.flatMap(({ name, rpsPerProcessorSecond }) => {
    const least = leastRatio[name];
    const claim = `${name}, per second of processor time ÷ the bare server of the same run`;
    return least === undefined ? [] : [atLeast(claim, rpsPerProcessorSecond / bare, 3, least)];
  });
  const rates = figures.map(({ name, rps, rpsPerProcessorSecond, rounds }) => {
    const all = rounds.map((round) => round.rps.toFixed(0)).join(', ');
    const claim = `${name}, rps (${all}; ${rpsPerProcessorSecond.toFixed(0)} per second of processor time)`;
    const least = leastRps[name];
    return least === undefined ? told(claim, rps.toFixed(0)) : atLeast(claim, rps, 0, least);
  });
  return [...rates, ...ratios];
}

/** Bars of the time that each further stage takes. */
export function hopBars(figures: readonly HopFigures[]): readonly Bar[] {
  const listedUs = (times: readonly number[]): string => times.map((us) => us.toFixed(0)).join(', ');
  return figures.map(({ name, oneStageUs, threeStagesUs, furtherStageUs }) =>
    atMost(
      `${name}: processor time of each further stage, µs (one stage ${listedUs(oneStageUs)}; three ${listedUs(threeStagesUs)})`,
      furtherStageUs,
      1,
      MOST_HOP_US,
    ),
  );
}

/** Bars of the overhead. */
export function overheadBars({ sides, addedP50Ms, addedP99Ms, sentLateP99Ms }: OverheadFigures): readonly Bar[] {
  return [
    ...sides.map(({ name, p50Ms, p99Ms }) =>
      told(`p50, p99 of ${name}, ms, by round`, `${listed(p50Ms)}; ${listed(p99Ms)}`),
    ),
    told('added p50 of 1 stage, of 3 stages, ms', `${addedP50Ms[1].toFixed(2)}; ${addedP50Ms[3].toFixed(2)}`),
    atMost('added p99 of one stage, ms', addedP99Ms[1], 2, MOST_ADDED_MS),
    atMost('added p99 of three stages, ms: three hops of 1 ms', addedP99Ms[3], 2, 3 * MOST_ADDED_MS),
    told('added p99 of three stages ÷ that of one', (addedP99Ms[3] / addedP99Ms[1]).toFixed(2)),
    told('the generator itself was late, p99, ms', sentLateP99Ms.toFixed(2)),
  ];
}

const listed = (times: readonly number[]): string => times.map((ms) => ms.toFixed(2)).join(', ');
