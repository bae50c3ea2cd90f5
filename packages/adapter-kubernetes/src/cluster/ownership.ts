/**
 * Ownership of the objects of a pipeline. A pipeline owns an object whose controlling owner reference has its uid. It
 * may adopt an object that Equipoise wrote and that no other owner controls: after `k8s apply`, or if the pipeline was
 * deleted and created again. All other objects belong to others and are left alone.
 */
import { PIPELINE_KIND } from '@equipoise/pipeline-file';
import { OWN_MANAGERS } from '../api/field-managers.js';
import type { KubeObject, OwnerReference } from '../api/kube-object.js';
import { LABEL_PREFIX, labelValue } from './object-names.js';

/** Name and uid of the pipeline. */
export interface PipelineIdentity {
  readonly name: string;
  readonly uid: string | undefined;
}

/** `manager`: writer or owner of an object of others. */
export type Ownership =
  | { readonly kind: 'owned' }
  | { readonly kind: 'adoptable' }
  | { readonly kind: 'foreign'; readonly manager: string };

/** Annotation by which a person hands an object over; its value is the name of the pipeline. */
export const ADOPT = `${LABEL_PREFIX}/adopt`;

export function ownershipOf({ metadata }: KubeObject, pipeline: PipelineIdentity): Ownership {
  const { ownerReferences = [], labels = {}, annotations = {} } = metadata;
  const controller = ownerReferences.find(({ controller: controls }) => controls === true);
  if (controller !== undefined && controller.uid === pipeline.uid) return { kind: 'owned' };
  if (controller !== undefined && !isPredecessor(controller, pipeline))
    return { kind: 'foreign', manager: `${controller.kind} ${controller.name}` };
  if (annotations[ADOPT] === pipeline.name) return { kind: 'adoptable' };
  const isOfPipeline = labels[`${LABEL_PREFIX}/pipeline`] === labelValue(pipeline.name);
  const managers = managersOf(metadata);
  if (isOfPipeline && managers.some((manager) => OWN_MANAGERS.includes(manager))) return { kind: 'adoptable' };
  return { kind: 'foreign', manager: managers[0] ?? 'unknown' };
}

/** True if the owner is an earlier pipeline of the same name. */
const isPredecessor = ({ apiVersion, kind, name }: OwnerReference, pipeline: PipelineIdentity): boolean =>
  apiVersion.startsWith(`${LABEL_PREFIX}/`) && kind === PIPELINE_KIND && name === pipeline.name;

/** Managers of an object without those of subresources, in the order of the server. */
function managersOf({ managedFields = [] }: KubeObject['metadata']): readonly string[] {
  return managedFields.flatMap(({ manager, subresource }) =>
    manager === undefined || subresource !== undefined ? [] : [manager],
  );
}
