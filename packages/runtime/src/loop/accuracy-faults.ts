/** Raises the fault `accuracy` while variants in service are less accurate than expected. */
import { atThreshold, OMITTED, type RunningPlan, type StageId } from '@equipoise/core/model';
import type { AccuracyWatch, WatchedAccuracy } from '../accuracy/accuracy-watch.js';
import type { ActiveFaults } from './loop-event.js';

export interface AccuracyFaultsDeps {
  readonly watch: AccuracyWatch;
  readonly faults: Pick<ActiveFaults, 'raise' | 'clear'>;
  readonly runningPlan: () => RunningPlan;
  /** Clock of the scores. */
  readonly nowMs: () => number;
  readonly epochNowMs: () => number;
}

export class AccuracyFaults {
  readonly #deps: AccuracyFaultsDeps;
  #raised = '';

  constructor(deps: AccuracyFaultsDeps) {
    this.#deps = deps;
    deps.watch.onChange(() => this.check());
  }

  /** To call after a change of the replicas, too. */
  check(): void {
    const { watch, faults, runningPlan } = this.#deps;
    const plan = runningPlan();
    const lower = watch.all.filter(({ choice, test }) => test.drop !== undefined && isServed(choice, plan));
    const raised = lower
      .map(({ variants }) => variants)
      .sort()
      .join(', ');
    if (raised === this.#raised) return;
    this.#raised = raised;
    if (raised === '') faults.clear('accuracy');
    else faults.raise('accuracy', new Error(lower.map((each) => this.#text(each)).join(' ')));
  }

  #text({ variants, test: { drop } }: WatchedAccuracy): string {
    if (drop === undefined) return '';
    const { seen, leastExpected, sinceMs } = drop;
    const [low, high] = seen.confidence95;
    const since = new Date(this.#deps.epochNowMs() - (this.#deps.nowMs() - sinceMs)).toISOString();
    return `The accuracy of ${variants} is ${seen.accuracy.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}, ${seen.scores} scores) since ${since}; at least ${leastExpected.toFixed(3)} is expected. Check the inputs and the model, or switch the variant.`;
  }
}

function isServed(choice: WatchedAccuracy['choice'], { stages }: RunningPlan): boolean {
  return Object.entries(choice).every(([stage, variant]) => {
    const { omitted, replicas = [], threshold } = stages[stage as StageId] ?? {};
    if (variant === OMITTED) return omitted;
    return replicas.some(
      ({ variantId, status }) => atThreshold(variantId, threshold) === variant && status === 'ready',
    );
  });
}
