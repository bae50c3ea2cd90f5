import { AppError } from '@equipoise/core/model';
import type { KubeApi } from './kube-api.js';

/**
 * Refuses all writes while `mayWrite` is false: a paused or cut off leader writes nothing after its lease has run out,
 * whatever of its work is still to do. A write that was sent before is not called back.
 */
export function fencedApi(api: KubeApi, mayWrite: () => boolean): KubeApi {
  const fenced =
    <Arguments extends unknown[], Result>(write: (...given: Arguments) => Promise<Result>) =>
    async (...given: Arguments): Promise<Result> => {
      if (!mayWrite())
        throw new AppError('CONFLICT', 'The lease has run out: another operator may lead. Nothing is written.');
      return write(...given);
    };
  return {
    get: (...given) => api.get(...given),
    list: (...given) => api.list(...given),
    watch: (...given) => api.watch(...given),
    create: fenced(api.create.bind(api)) as KubeApi['create'],
    replace: fenced(api.replace.bind(api)) as KubeApi['replace'],
    apply: fenced(api.apply.bind(api)) as KubeApi['apply'],
    applyStatus: fenced(api.applyStatus.bind(api)) as KubeApi['applyStatus'],
    setManagedFields: fenced(api.setManagedFields.bind(api)) as KubeApi['setManagedFields'],
    setFinalizers: fenced(api.setFinalizers.bind(api)) as KubeApi['setFinalizers'],
    scale: fenced(api.scale.bind(api)),
    delete: fenced(api.delete.bind(api)),
  };
}
