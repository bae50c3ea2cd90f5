/**
 * Objects as one text of several YAML documents, as `kubectl apply -f -` reads it: by YAML 1.1, where a bare `off` is no text, so all that
 * could be read as something else stands in quotes.
 */
import { stringify } from 'yaml';
import type { KubeObject } from './kube-object.js';

/** The documents in the order given; the same objects give the same bytes. */
export function toYaml(objects: readonly KubeObject[]): string {
  return objects
    .map((object) => stringify(object, { schema: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}
