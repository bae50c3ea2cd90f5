/** Feedback inside the controller: what was measured is kept with its state, and the rules are those of the corrected profiles. */
import type { Observation } from '../../model/decision.js';
import type { ProfileSet } from '../../model/profile-point.js';
import type { ControlContext } from '../on-tick.js';
import { type Correction, correctedProfiles, corrections } from './corrected-profiles.js';
import { observeBatches, type ServiceRatios } from './service-feedback.js';

/** What depends on the profiles. */
export type ProfiledParts = Pick<ControlContext, 'profiles' | 'curves' | 'verifierAt'>;

/** A controller that is told how to plan by other profiles. */
export interface FeedbackRules extends ControlContext {
  /** Without it the profiles are believed. */
  readonly partsFor?: (profiles: ProfileSet) => ProfiledParts;
}

/** What serving has said so far; plain data. */
export interface ServiceState {
  readonly measured: ServiceRatios;
  readonly corrections: readonly Correction[];
}

/** Nothing said. */
export const nothingMeasured: ServiceState = { measured: [], corrections: [] };

/** The state with the batches of a tick; corrections follow where a plan is due. */
export function observeService(
  { spec, profiles, curves, partsFor }: FeedbackRules,
  before: ServiceState,
  { observation, due }: { readonly observation: Observation; readonly due: boolean },
): ServiceState {
  if (partsFor === undefined) return before;
  const measured = observeBatches(before.measured, observation.batches ?? [], curves);
  if (!due) return { ...before, measured };
  return { measured, corrections: corrections(spec, profiles, { measured, inForce: before.corrections }) };
}

interface Corrected {
  readonly key: string;
  readonly rules: FeedbackRules;
}

const lastCorrected = new WeakMap<FeedbackRules, Corrected>();

/** The rules by the corrected profiles; the same object as long as the corrections are the same. */
export function correctedRules<Rules extends FeedbackRules>(rules: Rules, all: readonly Correction[]): Rules {
  if (rules.partsFor === undefined || all.length === 0) return rules;
  const key = JSON.stringify(all);
  const last = lastCorrected.get(rules);
  if (last?.key === key) return last.rules as Rules;
  const made = { ...rules, ...rules.partsFor(correctedProfiles(rules.spec, rules.profiles, all)) };
  lastCorrected.set(rules, { key, rules: made });
  return made;
}
