/**
 * Second thoughts about a choice that missed its SLO. Options that look alike to the additive surrogate need not be alike in the graph: what
 * leaves a stage in batches arrives at the next in groups. So, stage by stage, the choice is changed to the option with which the estimate of
 * the whole graph is fastest, as long as the change is allowed. Ends after a fixed number of estimates.
 */
import { optionLatencyMs, type SurrogateOption } from '../surrogate/surrogate.js';
import type { SurrogateChoice } from '../surrogate/surrogate-choice.js';

/** What a repair may use. */
export interface RepairSetup {
  /** Options per stage. */
  readonly stages: readonly (readonly SurrogateOption[])[];
  /** Whether a choice keeps the budget and is worth having. */
  readonly allowed: (choice: SurrogateChoice) => boolean;
  /** Estimated latency (ms) of a whole choice. */
  readonly estimateMs: (choice: SurrogateChoice) => number;
}

const MOST_ESTIMATES = 60;
/** Options tried per stage, the fastest alone first. */
const MOST_TRIED = 8;
const ALONE = { theta: 0.7, kappa: 1 };

const replaced = (choice: SurrogateChoice, stage: number, by: SurrogateOption): SurrogateChoice =>
  choice.map((option, s) => (s === stage ? by : option));

/** The fastest choice found near `choice` by the estimate of the whole graph; perhaps `choice` itself. */
export function repaired(choice: SurrogateChoice, setup: RepairSetup): SurrogateChoice {
  let best = choice;
  let bestMs = setup.estimateMs(choice);
  let estimates = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let s = 0; s < choice.length; s++) {
      for (const option of likely(setup, best, s)) {
        if (estimates++ >= MOST_ESTIMATES) return best;
        const candidate = replaced(best, s, option);
        const ms = setup.estimateMs(candidate);
        if (ms >= bestMs) continue;
        best = candidate;
        bestMs = ms;
        changed = true;
      }
    }
  }
  return best;
}

/** All allowed choices that differ from `choice` in one of the likely options of one stage. */
export const neighbours = (choice: SurrogateChoice, setup: RepairSetup): readonly SurrogateChoice[] =>
  choice.flatMap((_, s) => likely(setup, choice, s).map((option) => replaced(choice, s, option)));

/** Other options of a stage that are allowed, the fastest alone first. */
function likely({ stages, allowed }: RepairSetup, choice: SurrogateChoice, stage: number): readonly SurrogateOption[] {
  return (stages[stage] ?? [])
    .filter((option) => option !== choice[stage] && allowed(replaced(choice, stage, option)))
    .map((option) => ({ option, ms: optionLatencyMs(option.option, ALONE) }))
    .sort((a, b) => a.ms - b.ms)
    .slice(0, MOST_TRIED)
    .map(({ option }) => option);
}
