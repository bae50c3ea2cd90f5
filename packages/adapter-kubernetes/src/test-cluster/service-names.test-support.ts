/** Addresses of Services, from the EndpointSlices of a namespace, in a file for processes that represent pods. */
import { renameSync, writeFileSync } from 'node:fs';
import { SeededRng } from '@equipoise/core/model';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { Reflector } from '../cluster/reflector.js';
import { loopbackOf } from './pod-processes.test-support.js';
import { realClock } from './real-clock.test-support.js';

/** The endpoints of a Service. */
export interface EndpointSlice extends KubeObject {
  readonly addressType: 'IPv4';
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
}

export const endpointSlices: ResourceType<EndpointSlice> = {
  ...{ group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice', plural: 'endpointslices', namespaced: true },
};

/** Label: Service of a slice. */
export const SERVICE_LABEL = 'kubernetes.io/service-name';

export class ServiceNames {
  readonly #reflector: Reflector<EndpointSlice>;
  readonly #file: string;
  #names: Readonly<Record<string, readonly string[]>> = {};

  constructor(api: KubeApi, namespace: string, file: string) {
    this.#file = file;
    const base = { api, clock: realClock, rng: new SeededRng(1) };
    const listener = { onChange: () => this.#write(), onFailure: () => {} };
    this.#reflector = new Reflector(base, { type: endpointSlices, namespace }, listener);
    this.#write();
  }

  /** Loopback addresses of the ready pods of a Service. */
  addressesOf(service: string): readonly string[] {
    return this.#names[service] ?? [];
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#reflector.run(signal);
  }

  #write(): void {
    const names: Record<string, string[]> = {};
    for (const { metadata, endpoints = [] } of this.#reflector.objects.values()) {
      const service = metadata.labels?.[SERVICE_LABEL] ?? '';
      const ready = endpoints
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses }) => addresses);
      names[service] = [...(names[service] ?? []), ...ready.map(loopbackOf)];
    }
    this.#names = names;
    const draft = `${this.#file}.draft`;
    writeFileSync(draft, JSON.stringify(names));
    renameSync(draft, this.#file);
  }
}
