/** Times a sweep of 2,000 plans, and smaller ones at other loads, each in its own process (`sweep-run.ts`). */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SweptPlans } from './sweep-run.js';

const RUN = fileURLToPath(new URL('sweep-run.ts', import.meta.url));
const ROUNDS = 3;
const ITEMS = 20e6;
const DURATION_S = 600;

function swept(plans: number, arrivalRps: number): SweptPlans {
  const args = ['--import', 'tsx', RUN, ...[plans, arrivalRps, DURATION_S].map(String)];
  const figures: SweptPlans = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  process.stderr.write(`${plans} plans at ${arrivalRps} rps: ${(figures.cpuMs / 1000).toFixed(1)} s of CPU time\n`);
  return figures;
}

/** The sweep of the bar first. Then loads with about 20 million stage-requests each, of which the best round counts. */
export function measureSweep(): readonly SweptPlans[] {
  const loads = [2, 20, 200, 2000].map((rps) => ({
    rps,
    plans: Math.max(6, Math.round(ITEMS / (3 * rps * DURATION_S))),
  }));
  return [
    swept(2000, 20),
    ...loads.map(({ rps, plans }) =>
      Array.from({ length: ROUNDS }, () => swept(plans, rps)).reduce((a, b) => (b.cpuMs < a.cpuMs ? b : a)),
    ),
  ];
}
