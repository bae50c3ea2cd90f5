/**
 * Feedback inside the controller: what was measured and counted is kept with its state, and the rules are those of the corrected profiles and
 * of the pipeline as traffic has taught it.
 */
import { LruCache } from '../../kernel/lru-cache.js';
import type { Decision, LearnedEdge, Observation } from '../../model/decision.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { ProfileSet } from '../../model/profile-point.js';
import type { ControlContext } from '../on-tick.js';
import { type Correction, correctedProfiles, corrections } from './corrected-profiles.js';
import { type EdgeState, learnedSpec, observeEdgeCounts } from './learned-edges.js';
import { aged, observeBatches, type ServiceRatios } from './service-feedback.js';

/** What depends on the profiles and on fan-outs and branches. */
export type ProfiledParts = Pick<ControlContext, 'profiles' | 'curves' | 'verifierAt'>;

/** A controller that is told how to plan by other profiles, and for a pipeline whose edges do other things. */
export interface FeedbackRules extends ControlContext {
  /** Without it the profiles and the pipeline file are believed. */
  readonly partsFor?: (profiles: ProfileSet, spec: PipelineSpec) => ProfiledParts;
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
  const older = due ? aged(before.measured, spec.control.intervalMs) : before.measured;
  const measured = observeBatches(older, observation.batches ?? [], curves);
  if (!due) return { ...before, measured };
  return { measured, corrections: corrections(spec, profiles, { measured, inForce: before.corrections }) };
}

/** The state with what the edges did since the tick before; what is in force of it follows where a plan is due. */
export function observeEdges(
  { spec, partsFor }: FeedbackRules,
  before: EdgeState | undefined,
  { observation: { edges: counts = [], atMs }, due }: { readonly observation: Observation; readonly due: boolean },
): EdgeState | undefined {
  if (partsFor === undefined) return before;
  return observeEdgeCounts(spec, before ?? { memories: [], inForce: [] }, { counts, atMs, due });
}

/** What plans rest on in place of the profiles and the pipeline file. */
export interface Feedback {
  readonly corrections: readonly Correction[];
  readonly edges?: readonly LearnedEdge[] | undefined;
}

/** A decision that says what it rests on beside the pipeline file. */
export function withLearnedEdges(decision: Decision, edges: EdgeState | undefined): Decision {
  if (edges === undefined || edges.inForce.length === 0) return decision;
  return { ...decision, evidence: { ...decision.evidence, learnedEdges: edges.inForce } };
}

/** What is in force, and what was before: a tick that learns looks at what comes in meanwhile by what was in force before it. */
const REMEMBERED = 2;

const memories = new WeakMap<FeedbackRules, LruCache<FeedbackRules>>();

/** The rules by what was learned; the same object as long as that is the same. */
export function correctedRules<Rules extends FeedbackRules>(
  rules: Rules,
  { corrections: all, edges = [] }: Feedback,
): Rules {
  const { partsFor } = rules;
  if (partsFor === undefined || all.length + edges.length === 0) return rules;
  const key = JSON.stringify([all, edges.map(({ edge, kind, value }) => [edge, kind, value])]);
  const memory = memories.get(rules) ?? new LruCache<FeedbackRules>(REMEMBERED);
  memories.set(rules, memory);
  return memory.remember(key, () => {
    const spec = learnedSpec(rules.spec, edges);
    const profiles = all.length === 0 ? rules.profiles : correctedProfiles(rules.spec, rules.profiles, all);
    return { ...rules, spec, ...partsFor(profiles, spec) };
  }) as Rules;
}
