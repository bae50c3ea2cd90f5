import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import { labelsOf } from './object-names.js';
import { ownershipOf } from './ownership.js';

const shelf = { name: 'shelf', uid: 'uid-1' };
const owner = (over: object = {}) => ({
  ...{ apiVersion: 'equipoise.dev/v1alpha1', kind: 'InferencePipeline', name: 'shelf', uid: 'uid-1', controller: true },
  ...over,
});
const by = (manager: string, subresource?: string) => [
  { manager, operation: 'Apply' as const, ...(subresource && { subresource }) },
];
const ours = labelsOf('shelf');

const cases: readonly [string, KubeObject['metadata'], string][] = [
  ['an object with the uid of the pipeline', { name: 'a', ownerReferences: [owner()] }, 'owned'],
  [
    'an object of an earlier pipeline of the name, written by Equipoise',
    { name: 'a', labels: ours, ownerReferences: [owner({ uid: 'uid-0' })], managedFields: by('equipoise-operator') },
    'adoptable',
  ],
  [
    'an object of another pipeline',
    {
      name: 'a',
      labels: ours,
      ownerReferences: [owner({ name: 'other', uid: 'uid-2' })],
      managedFields: by('equipoise-operator'),
    },
    'foreign',
  ],
  ['an object of k8s apply', { name: 'a', labels: ours, managedFields: by('equipoise-cli') }, 'adoptable'],
  [
    'an object with our labels, by another tool',
    { name: 'a', labels: ours, managedFields: by('argocd-controller') },
    'foreign',
  ],
  [
    'an object of k8s apply, for another pipeline',
    { name: 'a', labels: labelsOf('other'), managedFields: by('equipoise-cli') },
    'foreign',
  ],
  [
    'an object that Equipoise only scaled',
    { name: 'a', labels: ours, managedFields: by('equipoise-cli', 'scale') },
    'foreign',
  ],
  [
    'an object that a person hands over',
    { name: 'a', annotations: { 'equipoise.dev/adopt': 'shelf' }, managedFields: by('kubectl') },
    'adoptable',
  ],
  [
    'an object handed over to another pipeline',
    { name: 'a', annotations: { 'equipoise.dev/adopt': 'x' }, managedFields: by('kubectl') },
    'foreign',
  ],
  [
    'an object handed over that has another controller',
    {
      name: 'a',
      annotations: { 'equipoise.dev/adopt': 'shelf' },
      ownerReferences: [owner({ kind: 'Blog', apiVersion: 'x/v1', uid: 'u' })],
    },
    'foreign',
  ],
];

describe('ownershipOf', () => {
  it.each(cases)('%s', (_, metadata, expected) => {
    expect(ownershipOf({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, shelf).kind).toBe(expected);
  });

  it('names the controller, else the first manager', () => {
    const of = (metadata: KubeObject['metadata']) =>
      ownershipOf({ apiVersion: 'v1', kind: 'ConfigMap', metadata }, shelf);
    expect(
      of({ name: 'a', ownerReferences: [owner({ kind: 'Blog', name: 'b', apiVersion: 'x/v1', uid: 'u' })] }),
    ).toMatchObject({ manager: 'Blog b' });
    expect(of({ name: 'a', managedFields: by('kubectl') })).toMatchObject({ manager: 'kubectl' });
    expect(of({ name: 'a' })).toMatchObject({ manager: 'unknown' });
  });
});
