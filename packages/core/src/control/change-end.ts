/**
 * How the last change ended, as far as the controller counts on it: a change that failed or was given up was none, so what was remembered of
 * it is taken back and a plan is due; one that was carried out is on trial from its end on.
 */
import type { Observation } from '../model/decision.js';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { Plan } from '../model/plan.js';
import { type BackOff, backOffAfter } from '../serve/rollout/trial.js';
import type { PlannedRate } from './planned-rates.js';
import { missedOf, type Trial } from './slo-burn.js';
import type { VariantSwitch } from './switch-history.js';

/** What a change alters in what the controller remembers. */
export interface BeforeChange {
  /** The load that what runs was last planned for. */
  readonly planned?: ExpectedLoad;
  /** What was planned for in the last minute, oldest first; missing before the first plan. */
  readonly plannedRates?: readonly PlannedRate[];
  /** Changes of the last hour. */
  readonly appliedAtMs: readonly number[];
  /** When the fast loop last answered a burst. */
  readonly protectedAtMs?: number;
  /** Of the last 20 minutes. */
  readonly switches: readonly VariantSwitch[];
  readonly trial?: Trial;
}

/** What the controller remembers of its changes. */
export interface ChangeMemory extends BeforeChange {
  /** When the slow loop is due; undefined before the first tick. */
  readonly nextPlanAtMs?: number;
  readonly backOff?: BackOff;
  /** What to go back to; set while it is not known yet whether the last change was carried out. */
  readonly beforeChange?: BeforeChange;
  /** Where that change leads; set as long as `beforeChange`. */
  readonly underWay?: Plan['stages'];
}

/** What to go back to where the change of a step is not carried out. */
export function beforeChange(memory: ChangeMemory): BeforeChange {
  const { planned, plannedRates, trial, appliedAtMs, switches, protectedAtMs } = memory;
  return {
    appliedAtMs,
    switches,
    ...(planned && { planned }),
    ...(plannedRates && { plannedRates }),
    ...(trial && { trial }),
    ...(protectedAtMs !== undefined && { protectedAtMs }),
  };
}

/** The memory as if the change under way had not been decided; it still says what to go back to. */
export function withoutChange<Memory extends ChangeMemory>(memory: Memory): Memory {
  if (memory.beforeChange === undefined) return memory;
  const { planned: _, plannedRates: __, trial: ___, protectedAtMs: ____, ...rest } = memory;
  return { ...rest, ...memory.beforeChange } as Memory;
}

/** The memory once it is known how the last change ended; the same while it is not. */
export function afterChange<Memory extends ChangeMemory>(memory: Memory, observation: Observation): Memory {
  const { lastChange, atMs } = observation;
  if (lastChange === undefined || memory.beforeChange === undefined) return memory;
  if (lastChange.kind === 'applied') {
    const { beforeChange: _, underWay: __, ...ended } = memory;
    const { trial } = ended;
    const begun = trial && { ...trial, sinceMs: atMs, missedAtStart: missedOf(observation) };
    return { ...ended, ...(begun && { trial: begun }) } as Memory;
  }
  const { beforeChange: _, underWay: __, ...rest } = withoutChange(memory);
  // What cannot be started would be tried again at every tick.
  const backOff = lastChange.kind === 'failed' ? backOffAfter(atMs, memory.backOff) : memory.backOff;
  return { ...rest, nextPlanAtMs: atMs, ...(backOff && { backOff }) } as Memory;
}
