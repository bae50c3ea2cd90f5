import type { ForecasterName } from '@equipoise/core/forecast';
import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import type { LoadSpec } from '@equipoise/core/simulate';
import type { RunFigures } from '../compose/simulated-run.js';
import type { Platform } from './platform.js';

export interface CellPipeline {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly file: string;
}

/** `policy`: a built-in policy, or the name of a user's policy. */
export interface CellName {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: string;
  readonly seed: number;
  readonly platform: Platform;
}

/** Cell as plain data; `digest` covers all inputs of its figures. */
export interface ExperimentCell extends CellName {
  readonly loadSpec: LoadSpec;
  readonly forecaster: ForecasterName;
  readonly excludeFirstS: number;
  readonly digest: string;
  /** File of a user's policy. */
  readonly policyFile?: string;
  /** File for a line of each request. */
  readonly rawFile?: string;
}

/** Parts of a served latency that a simulation does not have. */
export interface ServedExtras {
  /** p99 (ms) of the time from the scheduled instant until the client sent the request. */
  readonly startDelayP99Ms?: number;
  /** p99 (ms) within the server, from arrival to the answer; only on the platform `embedded`. */
  readonly serverP99Ms?: number;
}

export interface CellResult extends CellName, RunFigures, ServedExtras {
  readonly elapsedMs: number;
}

export interface InfeasibleCell extends CellName {
  readonly message: string;
}

export type CellOutcome =
  | ({ readonly kind: 'measured' } & { readonly result: CellResult })
  | ({ readonly kind: 'infeasible' } & { readonly cell: InfeasibleCell });

export const cellName = ({ pipeline, load, policy, seed, platform }: CellName): CellName => ({
  pipeline,
  load,
  policy,
  seed,
  platform,
});

export const cellText = ({ pipeline, load, policy, seed, platform }: CellName): string =>
  `${pipeline}, ${load}, ${policy}, seed ${seed}${platform === 'simulator' ? '' : `, ${platform}`}`;

/** Sorted by pipeline and seed: policies share verdicts, and remaining cells take about as long as finished ones. */
export function simulationOrder(cells: readonly ExperimentCell[]): readonly ExperimentCell[] {
  const pipelines = [...new Set(cells.map(({ pipeline }) => pipeline))];
  const rank = ({ pipeline }: ExperimentCell): number => pipelines.indexOf(pipeline);
  return [...cells].sort((a, b) => rank(a) - rank(b) || a.seed - b.seed);
}
