import { type PipelineSpec, type ProfileSet, routerShares, usualSplit } from '@equipoise/core/model';
import type { LoadSpec } from '@equipoise/core/simulate';
import type { RunFigures, RunRequest } from '../compose/simulated-run.js';
import { pointText, type SweepPoint } from './sweep-axes.js';

/** A fixed plan, or a policy that plans. */
export interface SweepSubject {
  readonly name: string;
  readonly by: Exclude<RunRequest['by'], { readonly own: unknown }>;
}

/** Input that all cells share. */
export interface SweptPipeline {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly subjects: readonly SweepSubject[];
  readonly excludeFirstS: number;
}

/** One simulation as plain data; `digest` covers all inputs of its figures. */
export interface SweepCell {
  /** Position in `subjects`. */
  readonly subject: number;
  readonly at: SweepPoint;
  readonly seed: number;
  readonly load: LoadSpec;
  readonly digest: string;
}

/** `infeasible`: a policy has no first plan. */
export type SweepOutcome =
  | { readonly kind: 'simulated'; readonly figures: RunFigures }
  | { readonly kind: 'infeasible'; readonly message: string };

/**
 * Routers of the axis, or those of the plan. The requests of the latter go to routers at random, as `simulate` sends
 * them.
 */
export function routersOf(by: SweepSubject['by'], { routers }: SweepPoint): Pick<RunRequest, 'routers' | 'shares'> {
  if (routers !== undefined) return { routers };
  const planned = 'plan' in by ? (by.plan.routers ?? 1) : 1;
  return planned === 1 ? {} : { routers: planned, shares: routerShares(usualSplit(planned, 0)) };
}

export function sweepCellText(subjects: readonly SweepSubject[], { subject, at, seed }: SweepCell): string {
  const name = subjects[subject]?.name ?? '';
  return [name, pointText(at), `seed ${seed}`].filter((part) => part !== '').join(', ');
}
