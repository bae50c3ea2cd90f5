/** A cell of a grid: what it simulates and what came out of it. */
import type { ForecasterName } from '@equipoise/core/forecast';
import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import type { LoadSpec } from '@equipoise/core/simulate';
import type { RunFigures } from '../compose/simulated-run.js';

/** A pipeline as every cell of it takes it. */
export interface CellPipeline {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
}

/** What tells a cell from the others. */
export interface CellName {
  readonly pipeline: string;
  readonly load: string;
  readonly policy: PolicyName;
  readonly seed: number;
}

/** Everything that a cell needs beside its pipeline, as plain data; `digest` is that of all that its figures depend on. */
export interface ExperimentCell extends CellName {
  readonly loadSpec: LoadSpec;
  readonly forecaster: ForecasterName;
  readonly excludeFirstS: number;
  readonly digest: string;
}

/** A simulated cell: its name with what `simulate` gives. */
export interface CellResult extends CellName, RunFigures {
  readonly elapsedMs: number;
}

/** A cell whose policy has no plan to begin with. */
export interface InfeasibleCell extends CellName {
  readonly message: string;
}

/** What came out of a cell. */
export type CellOutcome =
  | ({ readonly kind: 'simulated' } & { readonly result: CellResult })
  | ({ readonly kind: 'infeasible' } & { readonly cell: InfeasibleCell });

/** The name alone. */
export const cellName = ({ pipeline, load, policy, seed }: CellName): CellName => ({ pipeline, load, policy, seed });

/** The name as people read it. */
export const cellText = ({ pipeline, load, policy, seed }: CellName): string =>
  `${pipeline}, ${load}, ${policy}, seed ${seed}`;
