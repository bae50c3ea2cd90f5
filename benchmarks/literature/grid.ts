/**
 * Content of grid.json: loads, policies, seeds, load times, and per pipeline the SLO, published weights and frozen
 * choices of each baseline.
 */
import { readFileSync } from 'node:fs';
import type { ForecasterName } from '@equipoise/core/forecast';
import type { StagePins } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';

/** Stage with its names in the published tables. `series` selects the profiling series. */
export interface GridStage {
  readonly id: string;
  readonly inVariants: string;
  readonly profile: string;
  readonly series?: string;
}

export interface GridPipeline {
  readonly sloMs: number;
  readonly weights: { readonly accuracy: number; readonly cost: number; readonly batch: number };
  readonly stages: readonly GridStage[];
  /** Published thresholds of the base cores (rps): a default, and exceptions for single policies. */
  readonly baseRps: { readonly default: number } & Readonly<Partial<Record<PolicyName, number>>>;
  /** Fixed choices of a policy by stage. */
  readonly pins: PolicyPins;
  /** Published exceptions under a load. */
  readonly pinsByLoad?: Readonly<Record<string, PolicyPins>>;
}

type PolicyPins = Readonly<Partial<Record<PolicyName, Readonly<Record<string, StagePins>>>>>;

/** One load time for every variant. */
export interface Grid {
  readonly loads: readonly string[];
  readonly policies: readonly PolicyName[];
  readonly seeds: readonly number[];
  readonly excludeFirstS: number;
  readonly intervalMs: number;
  /** Interval of our fast loop, if any. */
  readonly fastIntervalMs: number;
  readonly forecaster: ForecasterName;
  readonly loadMs: number;
  readonly maxQueueLength: number;
  readonly pipelines: Readonly<Record<string, GridPipeline>>;
}

export const grid = JSON.parse(readFileSync(new URL('grid.json', import.meta.url), 'utf8')) as Grid;
