/**
 * Bounds the requests of a process that are under way, except watches. Without a bound, an operator that takes over many
 * pipelines floods a slow server, and its own lease is then not renewed in time. Statuses and events give way to all
 * other requests, so that a decision does not wait for reports.
 */
import type { Clock } from '@equipoise/core/model';
import type { KubeApi } from './kube-api.js';
import type { ResourceType } from './kube-object.js';

interface SlotsObserver {
  readonly clock: Clock;
  /** Called when a request gets its slot. */
  onSlot(waitedMs: number): void;
}

/** Slots that several clients share. Requests get them in order, those that yield after all others. */
export class RequestSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];
  readonly #yielding: (() => void)[] = [];
  readonly #observer: SlotsObserver | undefined;

  constructor(count: number, observer?: SlotsObserver) {
    this.#free = count;
    this.#observer = observer;
  }

  async use<Result>(
    request: () => Promise<Result>,
    { yields = false }: { readonly yields?: boolean } = {},
  ): Promise<Result> {
    const queue = yields ? this.#yielding : this.#waiting;
    const askedAtMs = this.#observer?.clock.nowMs() ?? 0;
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    this.#observer?.onSlot(this.#observer.clock.nowMs() - askedAtMs);
    try {
      return await request();
    } finally {
      const next = this.#waiting.shift() ?? this.#yielding.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

export function boundedApi(api: KubeApi, slots: RequestSlots): KubeApi {
  const bounded =
    <Arguments extends unknown[], Result>(request: (...given: Arguments) => Promise<Result>) =>
    (...given: Arguments): Promise<Result> =>
      slots.use(() => request(...given));
  return {
    get: bounded(api.get.bind(api)) as KubeApi['get'],
    list: bounded(api.list.bind(api)) as KubeApi['list'],
    watch: (...given) => api.watch(...given),
    create: (type, ...given) => slots.use(() => api.create(type, ...given), { yields: isOfEvents(type) }),
    replace: bounded(api.replace.bind(api)) as KubeApi['replace'],
    apply: (type, ...given) => slots.use(() => api.apply(type, ...given), { yields: isOfEvents(type) }),
    applyStatus: (...given) => slots.use(() => api.applyStatus(...given), { yields: true }),
    setManagedFields: bounded(api.setManagedFields.bind(api)) as KubeApi['setManagedFields'],
    setFinalizers: bounded(api.setFinalizers.bind(api)) as KubeApi['setFinalizers'],
    scale: bounded(api.scale.bind(api)),
    delete: bounded(api.delete.bind(api)),
  };
}

const isOfEvents = ({ kind }: ResourceType): boolean => kind === 'Event';
