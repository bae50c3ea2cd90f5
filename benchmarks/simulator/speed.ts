/** Times the simulator in separate processes (`speed-run.ts`), repeatedly, and grows one case to 10^8 requests. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { speedCases } from './speed-cases.js';
import type { SpeedFigures } from './speed-run.js';

export type SpeedCaseName = keyof typeof speedCases;

/** Runs with about `requests` requests. */
export interface SpeedRuns {
  readonly name: SpeedCaseName;
  readonly requests: number;
  readonly runs: readonly SpeedFigures[];
}

const RUN = fileURLToPath(new URL('speed-run.ts', import.meta.url));

function timed(name: SpeedCaseName, requests: number): SpeedFigures {
  const flags = ['--import', 'tsx', '--expose-gc', RUN, name, String(requests)];
  const figures: SpeedFigures = JSON.parse(execFileSync(process.execPath, flags, { encoding: 'utf8' }));
  process.stderr.write(`${name} ${requests}: ${(figures.itemsPerSecond / 1e6).toFixed(2)} million items/s\n`);
  return figures;
}

/** Times every case `rounds` times in turns, so that machine noise affects all. */
function inTurns(cases: readonly Pick<SpeedRuns, 'name' | 'requests'>[], rounds: number): readonly SpeedRuns[] {
  const all = Array.from({ length: rounds }, () => cases.map(({ name, requests }) => timed(name, requests)));
  return cases.map((each, i) => ({ ...each, runs: all.map((round) => round[i] as SpeedFigures) }));
}

/** Pipelines of the bars, 5 runs each. */
export const measureSpeed = (): readonly SpeedRuns[] =>
  inTurns(
    (['batches', 'singles', 'fanOut'] as const).map((name) => ({ name, requests: 2e6 })),
    5,
  );

/** From 10^6 to 10^8 requests of one pipeline, 3 runs each. */
export const measureGrowth = (): readonly SpeedRuns[] =>
  inTurns(
    [1e6, 1e7, 1e8].map((requests) => ({ name: 'batches' as const, requests })),
    3,
  );
