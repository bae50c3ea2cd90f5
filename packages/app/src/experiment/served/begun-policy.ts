/** Policy of a served cell with the plan that the load begins with: the same as in the simulator. */
import { firstPlan } from '@equipoise/core/control';
import { AppError, type Plan } from '@equipoise/core/model';
import type { PolicyName } from '@equipoise/core/plan';
import { firstSeconds, policyRules } from '../../compose/simulated-run.js';
import type { CellPipeline, ExperimentCell } from '../experiment-cell.js';
import { OwnDecider } from './own-decider.js';

export interface BegunPolicy {
  readonly plan: Plan;
  /** Built-in policy that adapts the plan, or a user's. */
  readonly adaptsBy: PolicyName | OwnDecider;
  /** Mean rate (rps) of the first seconds. */
  readonly arrivalRps: number;
  /** Aborted when a user's policy fails. */
  readonly failing: AbortSignal;
  close(): Promise<void>;
}

/** Throws INFEASIBLE without a first plan, POLICY_FAILED if a user's policy fails. */
export async function beginPolicy(cell: ExperimentCell, { spec, profiles }: CellPipeline): Promise<BegunPolicy> {
  const { policy, policyFile, loadSpec, seed } = cell;
  const sample = firstSeconds(loadSpec, seed);
  const arrivalRps = sample.reduce((sum, count) => sum + count, 0) / sample.length;
  const failing = new AbortController();
  if (policyFile === undefined) {
    const adaptsBy = policy as PolicyName;
    const plan = firstPlan(policyRules({ spec, profiles, seed }, adaptsBy), loadSpec, seed);
    return { plan, adaptsBy, arrivalRps, failing: failing.signal, close: async () => {} };
  }
  const decider = await OwnDecider.start(
    { kind: 'serve', path: policyFile, spec, profiles, sampleArrivalsPerSecond: sample },
    (failure) => failing.abort(failure),
  );
  const { firstPlan: plan } = decider;
  if (plan === undefined) throw new AppError('POLICY_FAILED', `The policy ${policyFile} has no first plan.`);
  return { plan, adaptsBy: decider, arrivalRps, failing: failing.signal, close: () => decider.close() };
}
