/**
 * Bounds the items of a fan-out by the maximum queue length of the next stage, where all arrive at once. The check
 * comes before the items exist, because a client may write any number into a shape. A request above the bound fails as
 * a whole, even if a join needs fewer items. It is not dropped: a retry cannot help.
 */
import { AppError, isServerFault } from '../model/app-error.js';
import { boundedMessage, boundedName } from '../model/bounded-text.js';
import type { StageId } from '../model/ids.js';

class TooManyItems extends AppError {}

/**
 * True if the running plan may cause the failure: for server faults, and for too many items, which depend on the
 * variant.
 */
export const mayComeOfPlan = (failure: AppError): boolean =>
  isServerFault(failure.code) || failure instanceof TooManyItems;

/** Failure of a request whose output of `stage` has more than `most` items. */
export function tooManyItems(stage: StageId, items: number, most: number): AppError {
  const name = boundedName(stage);
  return new TooManyItems(
    'INVALID_INPUT',
    boundedMessage(
      `Stage ${name}: its output for this input fans out into ${items} items, at most ${most} may wait at a stage (admission.maxQueueLength); send an input with fewer, or raise the bound.`,
    ),
    { details: { stage: name, items, most } },
  );
}
