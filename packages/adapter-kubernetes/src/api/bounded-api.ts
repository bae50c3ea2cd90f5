/**
 * Bounds the requests of a process that are under way, except watches. Without a bound, an operator that takes over many
 * pipelines floods a slow server, and its own lease is then not renewed in time.
 */
import type { KubeApi } from './kube-api.js';

/** Slots that several clients share. Requests get them in order. */
export class RequestSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async use<Result>(request: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await request();
    } finally {
      const next = this.#waiting.shift();
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
    create: bounded(api.create.bind(api)) as KubeApi['create'],
    replace: bounded(api.replace.bind(api)) as KubeApi['replace'],
    apply: bounded(api.apply.bind(api)) as KubeApi['apply'],
    applyStatus: bounded(api.applyStatus.bind(api)) as KubeApi['applyStatus'],
    setManagedFields: bounded(api.setManagedFields.bind(api)) as KubeApi['setManagedFields'],
    setFinalizers: bounded(api.setFinalizers.bind(api)) as KubeApi['setFinalizers'],
    scale: bounded(api.scale.bind(api)),
    delete: bounded(api.delete.bind(api)),
  };
}
