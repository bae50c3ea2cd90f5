import type { ForecasterName } from '@equipoise/core/forecast';
import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import type { LoadSpec } from '@equipoise/core/simulate';
import type { RunFigures } from '../compose/simulated-run.js';

export interface CellPipeline {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
}

export interface CellName {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: PolicyName;
  readonly seed: number;
}

/** Cell as plain data; `digest` covers all inputs of its figures. */
export interface ExperimentCell extends CellName {
  readonly loadSpec: LoadSpec;
  readonly forecaster: ForecasterName;
  readonly excludeFirstS: number;
  readonly digest: string;
}

export interface CellResult extends CellName, RunFigures {
  readonly elapsedMs: number;
}

export interface InfeasibleCell extends CellName {
  readonly message: string;
}

export type CellOutcome =
  | ({ readonly kind: 'simulated' } & { readonly result: CellResult })
  | ({ readonly kind: 'infeasible' } & { readonly cell: InfeasibleCell });

export const cellName = ({ pipeline, load, policy, seed }: CellName): CellName => ({ pipeline, load, policy, seed });

export const cellText = ({ pipeline, load, policy, seed }: CellName): string =>
  `${pipeline}, ${load}, ${policy}, seed ${seed}`;

/** Sorted by pipeline and seed: policies share verdicts, and remaining cells take about as long as finished ones. */
export function simulationOrder(cells: readonly ExperimentCell[]): readonly ExperimentCell[] {
  const pipelines = [...new Set(cells.map(({ pipeline }) => pipeline))];
  const rank = ({ pipeline }: ExperimentCell): number => pipelines.indexOf(pipeline);
  return [...cells].sort((a, b) => rank(a) - rank(b) || a.seed - b.seed);
}
