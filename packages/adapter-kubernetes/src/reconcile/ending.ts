/**
 * The end of a pipeline that was deleted: first the router, which answers what it has begun and takes nothing more; the stages only when no
 * pod of it is left. The garbage collector, which would end all of them at once, gets the rest.
 */
import { refTo } from '../api/kube-object.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import { childTypes, isRouter } from '../cluster/observed-objects.js';
import type { ObservedPipeline, Reconciliation } from './reconciliation.js';
import { IDLE, type Work } from './transition.js';

/** Keeps a deleted pipeline until its router is gone. */
export const FINALIZER = `${LABEL_PREFIX}/drain`;

/** The work on a pipeline that is going. */
export function ending({ children, pods }: ObservedPipeline): Work & Pick<Reconciliation, 'finalizer'> {
  const router = children.filter((child) => child.kind === 'Deployment' && isRouter(child));
  const remove = router.flatMap((child) => {
    const type = childTypes[child.kind];
    return type === undefined || child.metadata.deletionTimestamp !== undefined ? [] : [refTo(type, child)];
  });
  const isGone = router.length === 0 && !pods.some(isRouter);
  return { ...IDLE, phase: 'ending', remove, ...(isGone && { finalizer: 'take-off' as const }) };
}
