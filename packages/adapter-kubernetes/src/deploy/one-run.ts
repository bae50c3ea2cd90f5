/**
 * Operator that ends when nothing is left to do: every pipeline has its plan, no canary waits for a verdict, and passes
 * change nothing.
 */
import { AppError } from '@equipoise/core/model';
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import { wait } from '../cluster/wait.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import type { PlanSource } from '../plan/planning.js';
import type { Phase } from '../reconcile/reconciliation.js';
import { Operator, type OperatorDeps, type PassReport } from './operator.js';

/** `isUndecided`: a first plan or decision is missing. */
export interface OneRunDeps extends Omit<OperatorDeps, 'passed'> {
  readonly source: PlanSource & { readonly isUndecided: boolean };
}

export interface TouchedObject {
  readonly kind: string;
  readonly name: string;
}

/** `phase` and `status` are missing if no pass succeeded. */
export interface PipelineRun {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly phase?: Phase;
  readonly status?: InferencePipelineStatus;
  readonly applied: readonly TouchedObject[];
  readonly removed: readonly TouchedObject[];
  readonly failure?: string;
}

const LOOK_EVERY_MS = 100;
/** Time for the cluster to show the last writes. */
const QUIET_MS = 1_000;
/** Maximum failures in a row, per pipeline or list. */
const MOST_FAILURES = 5;
/** Limit for a silent API server. */
const LIST_LIMIT_MS = 30_000;

/** Rejects if the pipelines cannot be listed; AppError INTERRUPTED if `signal` aborts. */
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

  #onPass(key: string, { pipeline, phase, status, applied, removed, awaitsVerdict, refusals }: PassReport): void {
    const { name, namespace } = pipeline.metadata;
    const before = this.#runs.get(key);
    if (applied.length > 0 || removed.length > 0 || before?.phase !== phase)
      this.#changedAtMs = this.#deps.clock.nowMs();
    // Refused writes are reported as failures and tried again.
    if (refusals.length === 0) this.#failures.delete(key);
    if (awaitsVerdict) this.#awaited.add(key);
    else this.#awaited.delete(key);
    this.#runs.set(key, {
      name,
      phase,
      status,
      namespace,
      applied: mergeTouched(before?.applied, applied.map(touchedObject)),
      removed: mergeTouched(before?.removed, removed.map(touchedRef)),
      ...(refusals.length > 0 && before?.failure !== undefined && { failure: before.failure }),
    });
  }

  #onFailure(what: string, error: unknown): void {
    this.#deps.onFailure(what, error);
    this.#failures.set(what, (this.#failures.get(what) ?? 0) + 1);
    // Keys of pipelines have a namespace; all other names are resources.
    const [namespace, name] = what.split('/');
    if (namespace === undefined || name === undefined) {
      this.#listFailure = error;
      return;
    }
    const failure = error instanceof Error ? error.message : String(error);
    this.#runs.set(what, { namespace, name, applied: [], removed: [], ...this.#runs.get(what), failure });
  }
}

const touchedObject = ({ kind, metadata: { name } }: KubeObject): TouchedObject => ({ kind, name });
const touchedRef = ({ type: { kind }, name }: ObjectRef): TouchedObject => ({ kind, name });

function mergeTouched(before: readonly TouchedObject[] = [], more: readonly TouchedObject[]): readonly TouchedObject[] {
  return [...new Map([...before, ...more].map((each) => [`${each.kind} ${each.name}`, each])).values()];
}
