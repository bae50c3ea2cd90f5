/**
 * Lists and watches of resources that a cluster need not have. A resource that is not served, or that the operator may
 * not read, counts as empty and is tried again every minute. A right that is lost later is a failure by default: the
 * objects that were read are still there.
 */
import { type AlarmClock, AppError } from '@equipoise/core/model';
import type { KubeApi, ListPage, WatchEvent } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { wait } from './wait.js';

const AGAIN_MS = 60_000;
/** Version of the list of a resource that is not there. */
const ABSENT = 'absent';

export interface AbsenceOptions {
  /** True for resources that the operator can do without: a right that is lost later empties them. */
  readonly mayBeLost?: boolean;
  /** Called with each refusal that counts as absence. */
  readonly onAbsent?: (error: AppError) => void;
}

export function optionalResources(
  api: KubeApi,
  clock: AlarmClock,
  { mayBeLost = false, onAbsent = () => {} }: AbsenceOptions = {},
): KubeApi {
  const readable = new Set<string>();
  const list: KubeApi['list'] = async <T extends KubeObject>(...question: Parameters<KubeApi['list']>) => {
    const [{ type }] = question;
    const name = `${type.plural}.${type.group}`;
    try {
      const page = (await api.list(...question)) as ListPage<T>;
      readable.add(name);
      return page;
    } catch (error) {
      if (!isAbsent(error, readable.has(name) && !mayBeLost)) throw error;
      onAbsent(error);
      return { kind: 'page', objects: [], resourceVersion: ABSENT } as ListPage<T>;
    }
  };
  async function* untilLost<T extends KubeObject>(
    watched: AsyncIterable<WatchEvent<T>>,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    try {
      yield* watched;
    } catch (error) {
      if (!mayBeLost || !isAbsent(error, false)) throw error;
      onAbsent(error);
      yield* absence(clock, signal);
    }
  }
  const watch: KubeApi['watch'] = (selection, from, signal) =>
    from.resourceVersion === ABSENT ? absence(clock, signal) : untilLost(api.watch(selection, from, signal), signal);
  return Object.assign(Object.create(api) as KubeApi, { list, watch });
}

async function* absence(clock: AlarmClock, signal: AbortSignal): AsyncIterable<{ readonly kind: 'expired' }> {
  await wait(clock, AGAIN_MS, signal);
  if (!signal.aborted) yield { kind: 'expired' };
}

const isAbsent = (error: unknown, wasReadable: boolean): error is AppError =>
  error instanceof AppError &&
  error.code === 'CLUSTER_REFUSED' &&
  (error.details['httpStatus'] === 404 || (error.details['httpStatus'] === 403 && !wasReadable));
