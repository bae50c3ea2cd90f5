/** Objects of service meshes, with the fields that we set: HTTPRoute of the Gateway API, and Istio's. */
import type { KubeObject } from '../api/kube-object.js';
import type { Labels } from '../cluster/object-names.js';

interface ServiceRef {
  readonly group: '';
  readonly kind: 'Service';
  readonly name: string;
  readonly port: number;
}

export interface HttpRoute extends KubeObject {
  readonly kind: 'HTTPRoute';
  readonly spec: {
    readonly parentRefs: readonly ServiceRef[];
    readonly rules: readonly { readonly backendRefs: readonly (ServiceRef & { readonly weight: number })[] }[];
  };
}

interface WeightedDestination {
  readonly destination: {
    readonly host: string;
    readonly subset: string;
    readonly port: { readonly number: number };
  };
  readonly weight: number;
}

export interface VirtualService extends KubeObject {
  readonly kind: 'VirtualService';
  readonly spec: {
    readonly hosts: readonly string[];
    readonly http: readonly {
      readonly route: readonly WeightedDestination[];
      readonly retries: { readonly attempts: 0 };
    }[];
  };
}

export interface DestinationRule extends KubeObject {
  readonly kind: 'DestinationRule';
  readonly spec: {
    readonly host: string;
    readonly subsets: readonly { readonly name: string; readonly labels: Labels }[];
  };
}
