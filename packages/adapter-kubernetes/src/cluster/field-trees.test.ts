import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import { FieldTrees } from './field-trees.js';

const deployment = (name: string, ...fields: readonly string[]): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name,
    managedFields: fields.map((field) => ({
      manager: `manager of ${field}`,
      operation: 'Apply',
      time: name,
      fieldsV1: { 'f:spec': { [`f:${field}`]: {} } },
    })),
  },
});

const treesOf = ({ metadata }: KubeObject) => metadata.managedFields?.map(({ fieldsV1 }) => fieldsV1) ?? [];

describe('field trees', () => {
  test('are kept once if they are equal', () => {
    const trees = new FieldTrees();
    const first = trees.shared(deployment('a', 'replicas', 'template'));
    const second = trees.shared(deployment('b', 'template'));
    expect(treesOf(second)[0]).toBe(treesOf(first)[1]);
    expect(treesOf(first)[0]).not.toBe(treesOf(first)[1]);
  });

  test('leave all of the object as it was', () => {
    const trees = new FieldTrees();
    trees.shared(deployment('a', 'replicas'));
    expect(trees.shared(deployment('b', 'replicas', 'paused'))).toEqual(deployment('b', 'replicas', 'paused'));
  });

  test('need not be there', () => {
    const trees = new FieldTrees();
    const bare: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } };
    const withoutTree: KubeObject = { ...bare, metadata: { name: 'a', managedFields: [{ manager: 'somebody' }] } };
    expect(trees.shared(bare)).toBe(bare);
    expect(trees.shared(withoutTree)).toEqual(withoutTree);
  });

  test('of more forms than are kept are right, too', () => {
    const trees = new FieldTrees();
    for (let index = 0; index < 5_000; index++) trees.shared(deployment('a', `field${index}`));
    expect(trees.shared(deployment('b', 'field0'))).toEqual(deployment('b', 'field0'));
  });
});
