/**
 * Lists and watches of resources that a cluster need not have. A resource that is not served, or that the operator may
 * not read, counts as empty and is tried again every minute.
 */
import { type AlarmClock, AppError } from '@equipoise/core/model';
import type { KubeApi, ListPage } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { wait } from './wait.js';

const AGAIN_MS = 60_000;
/** Version of the list of a resource that is not there. */
const ABSENT = 'absent';

export function optionalResources(api: KubeApi, clock: AlarmClock): KubeApi {
  const list: KubeApi['list'] = async <T extends KubeObject>(...question: Parameters<KubeApi['list']>) => {
    try {
      return (await api.list(...question)) as ListPage<T>;
    } catch (error) {
      if (!isAbsent(error)) throw error;
      return { kind: 'page', objects: [], resourceVersion: ABSENT } as ListPage<T>;
    }
  };
  const watch: KubeApi['watch'] = (selection, from, signal) =>
    from.resourceVersion === ABSENT ? absence(clock, signal) : api.watch(selection, from, signal);
  return Object.assign(Object.create(api) as KubeApi, { list, watch });
}

async function* absence(clock: AlarmClock, signal: AbortSignal): AsyncIterable<{ readonly kind: 'expired' }> {
  await wait(clock, AGAIN_MS, signal);
  if (!signal.aborted) yield { kind: 'expired' };
}

const isAbsent = (error: unknown): boolean =>
  error instanceof AppError &&
  error.code === 'CLUSTER_REFUSED' &&
  (error.details['httpStatus'] === 404 || error.details['httpStatus'] === 403);
