/** Bars of the front processes. */
import { atLeast, type Bar, told } from './bar.js';
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
