/**
 * Replays a log of decisions: each completely logged step runs through the current code with its logged input.
 * Differences are listed.
 */
import {
  type ControllerRules,
  decisionProblem,
  type StepInput,
  type StepReplay,
  stepReplay,
} from '@equipoise/core/control';
import { type DecisionRecord, thrownText } from '@equipoise/core/model';
import type { PlanningProblem } from '@equipoise/core/plan';
import { controllerRules, type PlanningSetup } from './planning-session.js';

/** Decisions with their pipelines, oldest first, and their setups by digest. */
export interface RecordedLog {
  readonly setups: ReadonlyMap<string, PlanningSetup>;
  readonly decisions: readonly LoggedDecision[];
}

export interface LoggedDecision {
  readonly pipelineName: string;
  readonly record: DecisionRecord;
}

/** A value that differs, with its path; undefined on the side that lacks it. */
export interface Difference {
  readonly path: string;
  readonly recorded: unknown;
  readonly replayed: unknown;
}

/** The decision is the same, differs (at most twenty differences), or cannot be replayed for a reason. */
export type ReplayVerdict =
  | { readonly kind: 'same' }
  | { readonly kind: 'different'; readonly differences: readonly Difference[] }
  | { readonly kind: 'not-replayable'; readonly reason: string };

const MOST_DIFFERENCES = 20;

export class LogReplay {
  readonly #setups: RecordedLog['setups'];
  readonly #ofSetup = new Map<string, { readonly rules: ControllerRules; readonly replay: StepReplay }>();

  constructor(setups: RecordedLog['setups']) {
    this.#setups = setups;
  }

  verdictOn(record: DecisionRecord): ReplayVerdict {
    const { decision, observation, trigger } = record;
    const input = inputOf(record);
    if (trigger === 'start' || trigger === 'manual')
      return notReplayable(trigger === 'start' ? 'the first plan' : 'by hand');
    if (decision === undefined) return notReplayable('deciding failed');
    const again = attempt(() => {
      const taken = this.#taken(record);
      return input && taken && { decision: taken.replay(input, observation) };
    });
    if (again === undefined) return notReplayable('the log does not say what it rested on');
    const differences =
      'error' in again
        ? [{ path: 'decision', recorded: decision.kind, replayed: again.error }]
        : differencesOf(asJson(decision), asJson(again.decision));
    return differences.length === 0 ? { kind: 'same' } : { kind: 'different', differences };
  }

  /** Undefined if the log lacks it. */
  problemOf(record: DecisionRecord): PlanningProblem | undefined {
    const load = record.decision?.evidence.load;
    const input = inputOf(record);
    const taken = this.#taken(record);
    if (load === undefined || input === undefined || taken === undefined) return undefined;
    return decisionProblem(taken.rules, { input, load, observation: record.observation });
  }

  #taken({ setupDigest = '' }: DecisionRecord) {
    const known = this.#ofSetup.get(setupDigest);
    const setup = this.#setups.get(setupDigest);
    if (known !== undefined || setup === undefined) return known;
    const rules = controllerRules(setup);
    const made = { rules, replay: stepReplay(rules) };
    this.#ofSetup.set(setupDigest, made);
    return made;
  }
}

type Trial = NonNullable<StepInput['state']['trial']>;

/** Older versions counted only drops, in another field. */
type LoggedTrial = Omit<Trial, 'missedAtStart'> & { readonly missedAtStart?: number; readonly droppedAtStart?: number };

/** Input of a step in the current format; undefined if the log lacks it. */
function inputOf({ input }: DecisionRecord): StepInput | undefined {
  const logged = input as StepInput | undefined;
  const { trial, beforeChange } = logged?.state ?? {};
  if (logged === undefined || (trial ?? beforeChange?.trial) === undefined) return logged;
  const state = {
    ...logged.state,
    ...(trial && { trial: trialOf(trial) }),
    ...(beforeChange?.trial && { beforeChange: { ...beforeChange, trial: trialOf(beforeChange.trial) } }),
  };
  return { ...logged, state };
}

function trialOf({ droppedAtStart = 0, missedAtStart = droppedAtStart, ...trial }: LoggedTrial): Trial {
  return { ...trial, missedAtStart };
}

/** The result, or the text of an error: a step that fails now must not hide the verdicts on the others. */
function attempt<Result>(step: () => Result): Result | { readonly error: string } {
  try {
    return step();
  } catch (error) {
    return { error: thrownText(error) };
  }
}

const notReplayable = (reason: string): ReplayVerdict => ({ kind: 'not-replayable', reason });

const asJson = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

function differencesOf(recorded: unknown, replayed: unknown, path = 'decision'): readonly Difference[] {
  if (isBranch(recorded) && isBranch(replayed) && Array.isArray(recorded) === Array.isArray(replayed)) {
    const names = [...new Set([...Object.keys(recorded), ...Object.keys(replayed)])];
    return names
      .flatMap((name) => differencesOf(recorded[name], replayed[name], `${path}.${name}`))
      .slice(0, MOST_DIFFERENCES);
  }
  return Object.is(recorded, replayed) ? [] : [{ path, recorded, replayed }];
}

function isBranch(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
