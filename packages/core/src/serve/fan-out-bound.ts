/**
 * How many items one fan-out may give: as many as may wait at one stage, for that many come to its queue at once and what is more finds
 * no room there. It is asked before items are made, since their number may be anything that a client writes into a shape. A request with
 * more fails as a whole, also where a join would do without some: another try would not fare better, which a drop would promise.
 * The client is told that its input is at fault, but how many items there are is what a variant found: another one may find fewer.
 */
import { AppError, isServerFault } from '../model/app-error.js';
import { boundedMessage, boundedName } from '../model/bounded-text.js';
import type { StageId } from '../model/ids.js';

class TooManyItems extends AppError {}

/** Whether a request that failed so may have done so by the plan that runs: by a fault of the server, or by what a variant found in it. */
export const mayComeOfPlan = (failure: AppError): boolean =>
  isServerFault(failure.code) || failure instanceof TooManyItems;

/** What a request fails with whose output of `stage` fans out into more than `most` items. */
export function tooManyItems(stage: StageId, items: number, most: number): AppError {
  const name = boundedName(stage);
  return new TooManyItems(
    'INVALID_INPUT',
    boundedMessage(
      `Stage ${name}: what it gives for this input fans out into ${items} items, at most ${most} may wait at a stage (admission.maxQueueLength); send an input with fewer, or raise the bound.`,
    ),
    { details: { stage: name, items, most } },
  );
}
