/** Button that applies a plan after a confirmation, or the reason why the server refuses it. */
import type { Plan } from '../api/answers.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { refusedActions } from '../state/refused-actions.js';
import { confirmAction } from './confirm-dialog.js';
import { PlanTable } from './plan-table.js';

interface ApplyPlanProps {
  readonly state: PipelineState;
  readonly plan: Plan;
  /** Body of the request. */
  readonly body: object;
  readonly title?: string;
  readonly isNew?: boolean;
}

export function ApplyPlan({ state, plan, body, title = 'Apply this plan?', isNew = true }: ApplyPlanProps) {
  const facts = state.facts.value;
  if (facts === undefined) return null;
  const refused = refusedActions(facts);
  if (refused !== undefined) return <p class="muted">{refused.instead}</p>;
  return (
    <button
      type="button"
      class="primary"
      disabled={!isNew || state.failure.value !== undefined}
      onClick={() =>
        confirmAction({
          title,
          effect: (
            <>
              <PlanTable before={state.plan.value} after={plan} />
              {facts.mode === 'auto' && <p>The mode becomes Advise, so that the loop does not undo it.</p>}
            </>
          ),
          verb: 'Apply',
          ...{ state, route: '/apply', body },
        })
      }
    >
      Apply this plan
    </button>
  );
}
