import type { KubeObject } from '../api/kube-object.js';
import { deployments, type ObservedDeployment } from '../cluster/observed-objects.js';
import type { Deployment } from '../render/manifest-types.js';
import { CONFIG_DIGEST } from '../render/pod-template.js';

/**
 * The object with the pause before termination of its live Deployment, if both have the same config. So a new default
 * of the pause alone restarts no pods, for example after an upgrade of the operator. It comes with the next config.
 */
export function withKeptPause(object: KubeObject, live: ObservedDeployment | undefined): KubeObject {
  if (object.kind !== deployments.kind || live === undefined) return object;
  const wanted = object as Deployment;
  const present = live as unknown as Deployment;
  const { template } = wanted.spec;
  if (digestOf(wanted) === undefined || digestOf(wanted) !== digestOf(present)) return object;
  const { terminationGracePeriodSeconds, containers: presentContainers } = present.spec.template.spec;
  const lifecycles = new Map(presentContainers.map(({ name, lifecycle }) => [name, lifecycle]));
  const containers = template.spec.containers.map((container) => {
    const lifecycle = lifecycles.get(container.name);
    return lifecycle === undefined ? container : { ...container, lifecycle };
  });
  const spec = { ...template.spec, terminationGracePeriodSeconds, containers };
  return { ...wanted, spec: { ...wanted.spec, template: { ...template, spec } } } as KubeObject;
}

const digestOf = ({ spec }: Deployment): string | undefined => spec.template.metadata.annotations?.[CONFIG_DIGEST];
