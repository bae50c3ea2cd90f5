/**
 * Other writers of the number of replicas: an autoscaler, a person with kubectl. What they set is left to them and told; two writers that
 * each set their own number would start and stop pods without end. What `k8s apply` has brought is ours: it sets its number once.
 */
import { COMMAND_MANAGER, ownersOfField } from '../api/field-managers.js';
import type { ObservedDeployment } from '../cluster/observed-objects.js';

/** A Deployment whose replicas somebody else has set to something else. */
export interface ForeignReplicas {
  readonly deployment: string;
  readonly manager: string;
  readonly replicas: number;
  readonly wanted: number;
}

/** Who but `fieldManager` holds the replicas of a Deployment away from `wanted`; undefined where nobody does. */
export function foreignReplicas(
  deployment: ObservedDeployment,
  wanted: number,
  fieldManager: string,
): ForeignReplicas | undefined {
  const replicas = deployment.spec.replicas ?? 1;
  if (replicas === wanted) return undefined;
  const owners = ownersOfField(deployment, 'spec.replicas').map(({ manager = 'unknown' }) => manager);
  const foreign = owners.find((manager) => manager !== fieldManager && manager !== COMMAND_MANAGER);
  return foreign === undefined
    ? undefined
    : { deployment: deployment.metadata.name, manager: foreign, replicas, wanted };
}
