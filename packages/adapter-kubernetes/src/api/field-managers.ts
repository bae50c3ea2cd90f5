import type { FieldTree, KubeObject, ManagedFields } from './kube-object.js';

export const COMMAND_MANAGER = 'equipoise-cli';

export const OPERATOR_MANAGER = 'equipoise-operator';

export const OWN_MANAGERS: readonly string[] = [OPERATOR_MANAGER, COMMAND_MANAGER];

/** Entries of `metadata.managedFields` that own the field at `path`, such as `spec.replicas`. */
export function ownersOfField(object: KubeObject, path: string): readonly ManagedFields[] {
  const keys = path.split('.').map((name) => `f:${name}`);
  return (object.metadata.managedFields ?? []).filter(({ fieldsV1 }) => {
    let at: FieldTree | undefined = fieldsV1;
    for (const key of keys) at = at?.[key];
    return at !== undefined;
  });
}
