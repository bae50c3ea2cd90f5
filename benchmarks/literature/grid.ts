/** What is run, from grid.json: loads, policies, seeds, load times and, by pipeline, the SLO, the published weights and what each baseline freezes. */
import { readFileSync } from 'node:fs';
import type { ForecasterName } from '@equipoise/core/forecast';
import type { StagePins } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';

/** A stage with the names that the published tables give it; `series` picks the profiling series where there are several. */
export interface GridStage {
  readonly id: string;
  readonly inVariants: string;
  readonly profile: string;
  readonly series?: string;
}

/** A pipeline of the grid. */
export interface GridPipeline {
  readonly sloMs: number;
  readonly weights: { readonly accuracy: number; readonly cost: number; readonly batch: number };
  readonly stages: readonly GridStage[];
  /** What a policy has fixed, by stage. */
  readonly pins: Readonly<Partial<Record<PolicyName, Readonly<Record<string, StagePins>>>>>;
}

/** The whole grid; one load time for every variant. */
export interface Grid {
  readonly loads: readonly string[];
  readonly policies: readonly PolicyName[];
  readonly seeds: readonly number[];
  readonly excludeFirstS: number;
  readonly intervalMs: number;
  /** Of our fast loop, where a run has one. */
  readonly fastIntervalMs: number;
  readonly forecaster: ForecasterName;
  readonly loadMs: number;
  readonly maxQueueLength: number;
  readonly pipelines: Readonly<Record<string, GridPipeline>>;
}

export const grid = JSON.parse(readFileSync(new URL('grid.json', import.meta.url), 'utf8')) as Grid;
