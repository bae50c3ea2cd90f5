/** Equality selectors of labels and fields, for lists and watches. */
import type { Selection } from '../kube-api.js';
import type { KubeObject } from '../kube-object.js';

/** True if an object matches the selection. */
export function isSelected({ namespace, labelSelector, fieldSelector }: Selection, object: KubeObject): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  const labels = object.metadata.labels ?? {};
  return (
    holds(labelSelector, (name) => labels[name]) && holds(fieldSelector, (name) => fieldAt(object, name.split('.')))
  );
}

function holds(selector: string | undefined, valueAt: (name: string) => unknown): boolean {
  return (selector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [, name = '', operator = '', wanted = ''] = /^([^=!]+)(!=|==?)(.*)$/.exec(term) ?? [];
      if (operator === '') throw new Error(`the double reads equalities only, not “${term}”`);
      return (String(valueAt(name) ?? '') === wanted) === (operator !== '!=');
    });
}

function fieldAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], value);
}
