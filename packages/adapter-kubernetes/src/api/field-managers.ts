/** Who owns a field of an object, as `metadata.managedFields` says. */
import type { FieldTree, KubeObject, ManagedFields } from './kube-object.js';

/** The entries that own the field at `path`, which is written as in `spec.replicas`. */
export function ownersOfField(object: KubeObject, path: string): readonly ManagedFields[] {
  const keys = path.split('.').map((name) => `f:${name}`);
  return (object.metadata.managedFields ?? []).filter(({ fieldsV1 }) => {
    let at: FieldTree | undefined = fieldsV1;
    for (const key of keys) at = at?.[key];
    return at !== undefined;
  });
}
