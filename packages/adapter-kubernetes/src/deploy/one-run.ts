/**
 * An operator that ends when nothing is left that can be done now: all pipelines have been looked at, each has its plan, and passes change
 * nothing any more; the verdict on a share of the requests, for which somebody has to listen, is waited for. What else takes its time (pods that start, replicas that stay while a plan is on trial) is left to the next run, which finds
 * in the cluster how far this one came.
 */
import { AppError } from '@equipoise/core/model';
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import { wait } from '../cluster/wait.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { PlanSource } from '../plan/planning.js';
import type { Phase } from '../reconcile/reconciliation.js';
import { Operator, type OperatorDeps, type PassReport } from './operator.js';

/** What a run stands on; its source says while it has still to plan for a pipeline. */
export interface OneRunDeps extends Omit<OperatorDeps, 'passed'> {
  readonly source: PlanSource & { readonly isUndecided: boolean };
}

/** An object that was written or removed. */
export interface TouchedObject {
  readonly kind: string;
  readonly name: string;
}

/** What a run did for a pipeline, and how it left it; `phase` and `status` are missing where no pass over it ended well. */
export interface PipelineRun {
  readonly namespace?: string;
  readonly name: string;
  readonly phase?: Phase;
  readonly status?: InferencePipelineStatus;
  readonly applied: readonly TouchedObject[];
  readonly removed: readonly TouchedObject[];
  /** Why the last passes failed. */
  readonly failure?: string;
}

const LOOK_EVERY_MS = 100;
/** So long nothing may have changed: time for the cluster to show what was written. */
const QUIET_MS = 1_000;
/** Failures in a row, of passes over a pipeline or of lists of a resource, before it is given up. */
const MOST_FAILURES = 5;
/** For an API server that is silent. */
const LIST_LIMIT_MS = 30_000;

/** Runs; rejects with what kept it from listing the pipelines, and with AppError INTERRUPTED when `signal` aborts it. */
export async function runOnce(base: OneRunDeps, signal: AbortSignal): Promise<readonly PipelineRun[]> {
  const run = new OneRun(base);
  const ending = new AbortController();
  const running = run.operator.run(AbortSignal.any([signal, ending.signal]));
  try {
    while (!signal.aborted && !run.isOver()) await wait(base.clock, LOOK_EVERY_MS, signal);
  } finally {
    ending.abort();
    await running;
  }
  if (signal.aborted) throw new AppError('INTERRUPTED', 'The run was ended before nothing was left to do.');
  return run.pipelines;
}

class OneRun {
  readonly operator: Operator;
  readonly #deps: OneRunDeps;
  readonly #startedAtMs: number;
  readonly #runs = new Map<string, PipelineRun>();
  readonly #failures = new Map<string, number>();
  /** Pipelines of which nothing but a verdict is waited for. */
  readonly #awaited = new Set<string>();
  #listFailure: unknown;
  #changedAtMs: number;

  constructor(base: OneRunDeps) {
    this.#deps = base;
    this.#startedAtMs = base.clock.nowMs();
    this.#changedAtMs = this.#startedAtMs;
    this.operator = new Operator({
      ...base,
      onPass: (key, pass) => this.#onPass(key, pass),
      onFailure: (what, error) => this.#onFailure(what, error),
    });
  }

  get pipelines(): readonly PipelineRun[] {
    return [...this.#runs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, run]) => run);
  }

  isOver(): boolean {
    const nowMs = this.#deps.clock.nowMs();
    const keys = this.operator.pipelines;
    if (keys === undefined) {
      const isTold = [...this.#failures.values()].some((count) => count >= MOST_FAILURES);
      if (!isTold && nowMs - this.#startedAtMs < LIST_LIMIT_MS) return false;
      throw this.#listFailure ?? new AppError('UNREACHABLE', 'The API server has not listed its objects.');
    }
    const isLookedAt = (key: string): boolean => this.#runs.has(key);
    if (!this.operator.isIdle || this.#deps.source.isUndecided || !keys.every(isLookedAt)) return false;
    const isTriedAgain = keys.some((key) => (this.#failures.get(key) ?? MOST_FAILURES) < MOST_FAILURES);
    const isAwaited = keys.some((key) => this.#awaited.has(key));
    return !isTriedAgain && !isAwaited && nowMs - this.#changedAtMs >= QUIET_MS;
  }

  #onPass(key: string, { pipeline, phase, status, applied, removed, awaitsVerdict }: PassReport): void {
    const { name, namespace } = pipeline.metadata;
    const before = this.#runs.get(key);
    if (applied.length > 0 || removed.length > 0 || before?.phase !== phase)
      this.#changedAtMs = this.#deps.clock.nowMs();
    this.#failures.delete(key);
    if (awaitsVerdict) this.#awaited.add(key);
    else this.#awaited.delete(key);
    this.#runs.set(key, {
      ...{ name, phase, status, ...(namespace !== undefined && { namespace }) },
      applied: mergeTouched(before?.applied, applied.map(touchedObject)),
      removed: mergeTouched(before?.removed, removed.map(touchedRef)),
    });
  }

  #onFailure(what: string, error: unknown): void {
    this.#deps.onFailure(what, error);
    this.#failures.set(what, (this.#failures.get(what) ?? 0) + 1);
    // Keys of pipelines have their namespace before them; everything else is a resource.
    const [namespace, name] = what.split('/');
    if (namespace === undefined || name === undefined) {
      this.#listFailure = error;
      return;
    }
    const failure = error instanceof Error ? error.message : String(error);
    this.#runs.set(what, { ...{ namespace, name, applied: [], removed: [] }, ...this.#runs.get(what), failure });
  }
}

const touchedObject = ({ kind, metadata: { name } }: KubeObject): TouchedObject => ({ kind, name });
const touchedRef = ({ type: { kind }, name }: ObjectRef): TouchedObject => ({ kind, name });

/** Each object once, in the order in which it came. */
function mergeTouched(before: readonly TouchedObject[] = [], more: readonly TouchedObject[]): readonly TouchedObject[] {
  return [...new Map([...before, ...more].map((each) => [`${each.kind} ${each.name}`, each])).values()];
}
