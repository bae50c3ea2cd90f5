/** Annotation by which a pipeline names its engine. */
import { AppError } from '@equipoise/core/model';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import { type RenderTarget, renderTargets } from '../render/engines/targets.js';

const TARGET = `${LABEL_PREFIX}/target`;

/** Target that a pipeline names; default `deployment`. AppError WRONG_USAGE for others. */
export function targetNamedBy({ metadata }: InferencePipeline): RenderTarget {
  const named = metadata.annotations?.[TARGET] ?? 'deployment';
  const target = renderTargets.find((each) => each === named);
  if (target !== undefined) return target;
  throw new AppError(
    'WRONG_USAGE',
    `The annotation ${TARGET} is “${named}”: there is no such target. Expected ${renderTargets.join(', ')}.`,
  );
}

/** Target that a pipeline names, or the default for others: such a pipeline is not accepted. */
export function targetOf({ metadata }: InferencePipeline): RenderTarget {
  return renderTargets.find((each) => each === metadata.annotations?.[TARGET]) ?? 'deployment';
}
