/** Where the API server keeps a resource: `/api/v1/…` for the core group, `/apis/GROUP/VERSION/…` for the others. */
import type { ObjectRef, ResourceType } from './kube-object.js';

/** The path of all objects of a resource, in one namespace or in all. */
export function collectionPath(type: ResourceType, namespace: string | undefined): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const inside = type.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${inside}/${type.plural}`;
}

/** The path of one object, or of a subresource of it. */
export function objectPath(ref: ObjectRef, subresource?: 'status' | 'scale'): string {
  const path = `${collectionPath(ref.type, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}
