import type { ForecasterName } from '@equipoise/core/forecast';
import type { PolicyName } from '@equipoise/core/plan';

/** Load in the terms of the flags of `equipoise simulate`. */
export interface LoadDescription {
  readonly name?: string | undefined;
  readonly load?: string | undefined;
  readonly arrivalRps?: number | undefined;
  readonly durationS?: number | undefined;
  readonly arrivals?: string | undefined;
}

/** Load of a grid; `name` is unique in the results. */
export interface GridLoad {
  readonly name: string;
  readonly load?: string;
  readonly arrivalRps?: number;
  readonly durationS?: number;
  readonly arrivals?: string;
}

/** Grid with all defaults. Relative paths start at `baseDir`, the folder of the file. */
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

export function gridLoadName({ name, load, arrivalRps, durationS, arrivals }: LoadDescription): string {
  if (name !== undefined) return name;
  if (load !== undefined) return arrivals === undefined ? load : `${load} ${arrivals}`;
  return `${arrivals ?? 'poisson'} ${arrivalRps} rps ${durationS} s`;
}
