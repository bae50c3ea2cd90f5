import { stringify } from 'yaml';
import type { KubeObject } from './kube-object.js';

/** YAML for kubectl, which reads YAML 1.1. So texts such as `off` are quoted. */
export function toYaml(objects: readonly KubeObject[]): string {
  return objects
    .map((object) => stringify(object, { schema: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}
