/**
 * Placement of pods: the fields of a pod template that belong to users. The renderer sets all others, so a placement
 * never changes selectors, security, probes or resources of the plan.
 */
import type { PipelineSpec, StageSpec, VariantSpec } from '@equipoise/core/model';
import type { Labels } from '../cluster/object-names.js';
import type { Container, PodTemplate, ResourceList } from './manifest-types.js';

export type Placement = NonNullable<StageSpec['placement']>;

/** Mappings of names, which outer and inner placement share. Other fields of the inner one replace those of the outer. */
const MERGED = ['nodeSelector', 'labels', 'annotations', 'resources'] as const;

/** Placement of the pods of a variant, or without a stage that of the router. */
export function placementOf(
  spec: Pick<PipelineSpec, 'placement'>,
  stage?: Pick<StageSpec, 'placement'>,
  variant?: Pick<VariantSpec, 'placement'>,
): Placement | undefined {
  const given = [spec.placement, stage?.placement, variant?.placement].filter((each) => each !== undefined);
  if (given.length === 0) return undefined;
  const merged = MERGED.flatMap((field) => {
    const values = given.map((each: Placement) => each[field]).filter((value) => value !== undefined);
    return values.length === 0 ? [] : [[field, Object.assign({}, ...values)] as const];
  });
  return sorted({ ...Object.assign({}, ...given), ...Object.fromEntries(merged) }) as Placement;
}

/** Sorts the keys of mappings: API servers sort those of stored objects, so file and custom resource give the same bytes. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, sorted(child)]));
}

/** The template with a placement. The first container gets mounts and resources. */
export function withPlacement(template: PodTemplate, selector: Labels, placement: Placement | undefined): PodTemplate {
  if (placement === undefined) return template;
  const { labels, annotations, tolerations, topologySpreadConstraints, volumes = [], ...rest } = placement;
  const { volumeMounts, resources, ...fields } = rest;
  const { metadata, spec } = template;
  const [container, ...others] = spec.containers;
  const allTolerations = [...(spec.tolerations ?? []), ...(tolerations ?? [])];
  return {
    metadata: {
      ...metadata,
      labels: { ...labels, ...metadata.labels },
      ...((annotations ?? metadata.annotations) && { annotations: { ...annotations, ...metadata.annotations } }),
    },
    spec: {
      ...spec,
      ...fields,
      ...(topologySpreadConstraints && {
        topologySpreadConstraints: topologySpreadConstraints.map((constraint) => ({
          labelSelector: { matchLabels: selector },
          ...constraint,
        })),
      }),
      ...(allTolerations.length > 0 && { tolerations: allTolerations }),
      containers: container === undefined ? [] : [placedContainer(container, { volumeMounts, resources }), ...others],
      volumes: [...spec.volumes, ...(volumes as PodTemplate['spec']['volumes'])],
    },
  };
}

/** A container with additional mounts and resources. */
export function placedContainer<T extends Pick<Container, 'volumeMounts' | 'resources'>>(
  container: T,
  {
    volumeMounts,
    resources,
  }: { readonly volumeMounts: Placement['volumeMounts']; readonly resources: Placement['resources'] },
): T {
  const amounts: ResourceList = Object.fromEntries(
    Object.entries(resources ?? {}).map(([name, amount]) => [name, String(amount)]),
  );
  const { requests, limits } = container.resources ?? {};
  return {
    ...container,
    ...(volumeMounts && { volumeMounts: [...(container.volumeMounts ?? []), ...volumeMounts] }),
    ...(resources && { resources: { requests: { ...requests, ...amounts }, limits: { ...limits, ...amounts } } }),
  };
}
