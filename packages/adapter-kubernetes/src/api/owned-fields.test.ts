import { describe, expect, it } from 'vitest';
import type { KubeObject } from './kube-object.js';
import { ownedFields } from './owned-fields.js';

const own = {
  manager: 'own',
  operation: 'Apply' as const,
  fieldsV1: {
    'f:metadata': { 'f:labels': { 'f:app': {} } },
    'f:spec': {
      'f:replicas': {},
      'f:template': {
        'f:spec': {
          'f:containers': { 'k:{"name":"stage"}': { '.': {}, 'f:name': {}, 'f:args': {}, 'f:image': {} } },
          'f:hosts': { 'v:"a"': {} },
        },
      },
    },
  },
};
const other = {
  manager: 'other',
  operation: 'Update' as const,
  fieldsV1: { 'f:spec': { 'f:paused': {} }, 'f:metadata': { 'f:annotations': { 'f:note': {} } } },
};
const scaled = {
  manager: 'own',
  operation: 'Update' as const,
  subresource: 'scale',
  fieldsV1: { 'f:spec': { 'f:x': {} } },
};

const live = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    ...{ name: 'd', namespace: 'n', uid: 'u', labels: { app: 'shelf', team: 'b' }, annotations: { note: 'hands off' } },
    managedFields: [own, other, scaled],
  },
  spec: {
    ...{ replicas: 3, paused: true, x: 1 },
    template: {
      spec: {
        containers: [
          { name: 'proxy', image: 'mesh:1' },
          { name: 'stage', image: 'shelf:1', args: ['serve'], terminationMessagePath: '/dev/termination-log' },
        ],
        hosts: ['a', 'b'],
      },
    },
  },
} as unknown as KubeObject;

describe('ownedFields', () => {
  it('has the fields and items of the manager, and no others', () => {
    expect(ownedFields(live, ['own'])).toEqual({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
      metadata: { name: 'd', namespace: 'n', labels: { app: 'shelf' } },
      spec: {
        replicas: 3,
        template: { spec: { containers: [{ name: 'stage', image: 'shelf:1', args: ['serve'] }], hosts: ['a'] } },
      },
    });
  });

  it('joins the fields of several managers', () => {
    expect(ownedFields(live, ['own', 'other'])).toMatchObject({
      metadata: { labels: { app: 'shelf' }, annotations: { note: 'hands off' } },
      spec: { replicas: 3, paused: true },
    });
  });

  it('is undefined for a manager that owns nothing', () => {
    expect(ownedFields(live, ['stranger'])).toBeUndefined();
  });
});
