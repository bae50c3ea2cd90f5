/** The grid of an experiment as it is run: everything that the file leaves out is filled in. */
import type { ForecasterName } from '@equipoise/core/forecast';
import type { PolicyName } from '@equipoise/core/plan';

/** A load as the grid file describes it: as the flags of `equipoise simulate` do. */
export interface LoadDescription {
  readonly name?: string | undefined;
  readonly load?: string | undefined;
  readonly arrivalRps?: number | undefined;
  readonly durationS?: number | undefined;
  readonly arrivals?: string | undefined;
}

/** A load with the name that it has in the results, one of its own in the grid. */
export interface GridLoad {
  readonly name: string;
  readonly load?: string;
  readonly arrivalRps?: number;
  readonly durationS?: number;
  readonly arrivals?: string;
}

/** A grid. Paths are absolute or relative to `baseDir`, the folder of the file. */
export interface ExperimentGrid {
  readonly name: string;
  readonly baseDir: string;
  readonly pipelines: readonly string[];
  readonly loads: readonly GridLoad[];
  readonly policies: readonly PolicyName[];
  readonly seeds: readonly number[];
  readonly forecaster: ForecasterName;
  readonly excludeFirstS: number;
  readonly loadMs?: number;
}

/** The name that a load has in the results: its own, or what it is made of. */
export function gridLoadName({ name, load, arrivalRps, durationS, arrivals }: LoadDescription): string {
  if (name !== undefined) return name;
  if (load !== undefined) return arrivals === undefined ? load : `${load} ${arrivals}`;
  return `${arrivals ?? 'poisson'} ${arrivalRps} rps ${durationS} s`;
}
