/** The Lease of the group coordination.k8s.io, by which processes agree on one of them. */
import type { KubeObject, ResourceType } from '../api/kube-object.js';

export interface Lease extends KubeObject {
  readonly spec: {
    /** Empty when it was given back. */
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export const leases: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};
