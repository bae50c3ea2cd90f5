/** A custom resource for tests of the port: replicas with a scale, a list merged by name, a bounded text, a status. No controller touches it. */
import type { RefusalCause } from '../kube-api.js';
import type { KubeObject, ResourceType } from '../kube-object.js';
import type { MemoryResource } from '../memory/memory-kube.test-support.js';

export interface Probe extends KubeObject {
  readonly spec: {
    readonly note?: string;
    readonly replicas?: number;
    readonly items?: readonly { readonly name: string; readonly value?: string; readonly weight?: number }[];
  };
  readonly status?: { readonly phase?: string; readonly seen?: number };
}

const group = 'test.equipoise.dev';

export const probes: ResourceType<Probe> = { group, version: 'v1', kind: 'Probe', plural: 'probes', namespaced: true };

export const LONGEST_NOTE = 20;

/** A probe without status. */
export function probe(
  namespace: string,
  name: string,
  spec: Probe['spec'],
  over: Partial<Probe['metadata']> = {},
): Probe {
  return { apiVersion: `${group}/v1`, kind: 'Probe', metadata: { ...over, name, namespace }, spec };
}

/** The definition for a server that knows schemas. */
export const probeDefinition: KubeObject & { readonly spec: unknown } = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${probes.plural}.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind: 'Probe', listKind: 'ProbeList', plural: 'probes', singular: 'probe' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.seen' } },
        schema: { openAPIV3Schema: schema() },
      },
    ],
  },
};

function schema(): unknown {
  const item = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, value: { type: 'string' }, weight: { type: 'integer' } },
  };
  return {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          note: { type: 'string', maxLength: LONGEST_NOTE },
          replicas: { type: 'integer', minimum: 0 },
          items: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
            items: item,
          },
        },
      },
      status: { type: 'object', properties: { phase: { type: 'string' }, seen: { type: 'integer' } } },
    },
  };
}

/** The same resource for the server in memory. */
export const memoryProbes: MemoryResource = {
  type: probes,
  hasStatus: true,
  check: (object): readonly RefusalCause[] => {
    const { spec } = object as unknown as Probe;
    if ((spec.note ?? '').length <= LONGEST_NOTE) return [];
    return [{ field: 'spec.note', message: `Too long: may not be more than ${LONGEST_NOTE} bytes` }];
  },
};
