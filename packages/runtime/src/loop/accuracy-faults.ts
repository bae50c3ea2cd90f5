/** Raises a fault while variants in service are less accurate than expected, or agree less with their shadow. */
import { atQuorum, atThreshold, OMITTED, type RunningPlan, type StageId } from '@equipoise/core/model';
import type { AccuracyTest } from '@equipoise/core/serve';
import type { AccuracyWatch, WatchedAccuracy } from '../accuracy/accuracy-watch.js';
import type { AgreementWatch, WatchedAgreement } from '../accuracy/agreement-watch.js';
import type { ActiveFaults } from './loop-event.js';

export interface AccuracyFaultsDeps {
  readonly faults: Pick<ActiveFaults, 'raise' | 'clear'>;
  readonly runningPlan: () => RunningPlan;
  /** Clock of the scores. */
  readonly nowMs: () => number;
  readonly epochNowMs: () => number;
}

interface Watch<Watched> {
  readonly all: readonly Watched[];
  onChange(listener: () => void): void;
}

/** How a fault names what is watched. */
interface Wording<Watched> {
  readonly step: 'accuracy' | 'agreement';
  isServed(watched: Watched, plan: RunningPlan): boolean;
  /** Subject of the sentence, such as "accuracy of detect=small". */
  subject(watched: Watched): string;
  readonly unit: string;
  readonly advice: string;
}

class DropFaults<Watched extends { readonly test: AccuracyTest }> {
  readonly #watch: Watch<Watched>;
  readonly #wording: Wording<Watched>;
  readonly #deps: AccuracyFaultsDeps;
  #raised = '';

  constructor(watch: Watch<Watched>, wording: Wording<Watched>, deps: AccuracyFaultsDeps) {
    this.#watch = watch;
    this.#wording = wording;
    this.#deps = deps;
    watch.onChange(() => this.check());
  }

  /** To call after a change of the replicas, too. */
  check(): void {
    const { faults, runningPlan } = this.#deps;
    const { step, isServed, subject } = this.#wording;
    const plan = runningPlan();
    const lower = this.#watch.all.filter((each) => each.test.drop !== undefined && isServed(each, plan));
    const raised = lower.map(subject).sort().join(', ');
    if (raised === this.#raised) return;
    this.#raised = raised;
    if (raised === '') faults.clear(step);
    else faults.raise(step, new Error(lower.map((each) => this.#text(each)).join(' ')));
  }

  #text(watched: Watched): string {
    const { drop } = watched.test;
    if (drop === undefined) return '';
    const { subject, unit, advice } = this.#wording;
    const { seen, leastExpected, sinceMs } = drop;
    const [low, high] = seen.confidence95;
    const since = new Date(this.#deps.epochNowMs() - (this.#deps.nowMs() - sinceMs)).toISOString();
    return `The ${subject(watched)} is ${seen.accuracy.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}, ${seen.scores} ${unit}) since ${since}; at least ${leastExpected.toFixed(3)} is expected. ${advice}`;
  }
}

export class AccuracyFaults extends DropFaults<WatchedAccuracy> {
  constructor({ watch, ...deps }: AccuracyFaultsDeps & { readonly watch: AccuracyWatch }) {
    super(watch, ofAccuracy, deps);
  }
}

export class AgreementFaults extends DropFaults<WatchedAgreement> {
  constructor({ watch, ...deps }: AccuracyFaultsDeps & { readonly watch: AgreementWatch }) {
    super(watch, ofAgreement, deps);
  }
}

const ofAccuracy: Wording<WatchedAccuracy> = {
  step: 'accuracy',
  isServed: ({ choice }, { stages }) =>
    Object.entries(choice).every(([stage, variant]) => {
      const { omitted, replicas = [], threshold, quorum } = stages[stage as StageId] ?? {};
      if (variant === OMITTED) return omitted;
      return replicas.some(
        ({ variantId, status }) =>
          atQuorum(atThreshold(variantId, threshold), quorum) === variant && status === 'ready',
      );
    }),
  subject: ({ variants }) => `accuracy of ${variants}`,
  unit: 'scores',
  advice: 'Check the inputs and the model, or switch the variant.',
};

const ofAgreement: Wording<WatchedAgreement> = {
  step: 'agreement',
  isServed: (watched, { stages }) =>
    stages[watched.stageId]?.replicas.some(
      ({ variantId, status }) => variantId === watched.variantId && status === 'ready',
    ) === true,
  subject: ({ stageId, variantId, shadowId }) => `agreement of ${stageId}=${variantId} with its shadow ${shadowId}`,
  unit: 'items',
  advice: 'One of the two became worse, or the inputs changed. Check both, or switch the variant.',
};
