/** Bars of the front processes. */
import { atLeast, type Bar, told } from './bar.js';
import type { FrontLatencyFigures } from './front-latency.js';
import type { FrontFigures } from './fronts.js';

/** Requests per second of the router's processor time that a front has to gain where bodies are small. */
const LEAST_GAIN = 1.5;
const LARGE = /588 KiB/;

/** All figures, and what one front gains of the router's thread. */
export function frontBars(figures: readonly FrontFigures[]): readonly Bar[] {
  const threadUs = (name: string, fronts: number): number =>
    figures.find((one) => one.name === name && one.fronts === fronts)?.routerThreadUs ?? Number.NaN;
  const names = [...new Set(figures.map(({ name }) => name))];
  return [
    ...figures.map(({ name, fronts, rps, routerThreadUs, frontsUs }) =>
      told(
        `${name}, fronts: ${fronts}; rps; µs of the router's thread and of the fronts for each request`,
        `${rps.toFixed(0)}; ${routerThreadUs.toFixed(0)}, ${frontsUs.toFixed(0)}`,
      ),
    ),
    ...names.map((name) => {
      const claim = `${name}: requests per second of the router's thread, with one front ÷ without`;
      const gain = threadUs(name, 0) / threadUs(name, 1);
      return LARGE.test(name) ? told(claim, gain.toFixed(2)) : atLeast(claim, gain, 2, LEAST_GAIN);
    }),
  ];
}

/** Latencies without and with a front, and what it adds. */
export function frontLatencyBars({
  rates,
  sentLateP99Ms,
}: {
  readonly rates: readonly FrontLatencyFigures[];
  readonly sentLateP99Ms: number;
}): readonly Bar[] {
  return [
    ...rates.flatMap(({ arrivalRps, sides, addedP50Ms, addedP99Ms }) => [
      ...sides.map(({ fronts, p50Ms, p99Ms }) =>
        told(`${arrivalRps} rps, fronts: ${fronts}; p50, p99, ms`, `${p50Ms.toFixed(2)}, ${p99Ms.toFixed(2)}`),
      ),
      told(`${arrivalRps} rps: a front adds to p50, to p99, ms`, `${addedP50Ms.toFixed(2)}, ${addedP99Ms.toFixed(2)}`),
    ]),
    told('the generator itself was late, p99, ms', sentLateP99Ms.toFixed(2)),
  ];
}
