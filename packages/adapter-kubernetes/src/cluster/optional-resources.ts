/**
 * Lists and watches of resources that a cluster need not have. A resource that is not served, or that the operator may
 * not read, counts as empty and is tried again every minute. A right that is lost later is a failure: the objects that
 * were read are still there.
 */
import { type AlarmClock, AppError } from '@equipoise/core/model';
import type { KubeApi, ListPage } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { wait } from './wait.js';

const AGAIN_MS = 60_000;
/** Version of the list of a resource that is not there. */
const ABSENT = 'absent';

export function optionalResources(api: KubeApi, clock: AlarmClock): KubeApi {
  const readable = new Set<string>();
  const list: KubeApi['list'] = async <T extends KubeObject>(...question: Parameters<KubeApi['list']>) => {
    const [{ type }] = question;
    const name = `${type.plural}.${type.group}`;
    try {
      const page = (await api.list(...question)) as ListPage<T>;
      readable.add(name);
      return page;
    } catch (error) {
      if (!isAbsent(error, readable.has(name))) throw error;
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

const isAbsent = (error: unknown, wasReadable: boolean): boolean =>
  error instanceof AppError &&
  error.code === 'CLUSTER_REFUSED' &&
  (error.details['httpStatus'] === 404 || (error.details['httpStatus'] === 403 && !wasReadable));
