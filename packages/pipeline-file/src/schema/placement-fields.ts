/** Deep fields of a placement, as the API of Kubernetes defines them. */
import { z } from 'zod';
import { text } from './scalars.js';

const MOST_ENTRIES = 64;

const list = <T extends z.ZodType>(entry: T) => z.array(entry).max(MOST_ENTRIES);

const expressions = (operators: readonly [string, ...string[]]) =>
  list(z.strictObject({ key: text(), operator: z.enum(operators), values: list(z.string()).optional() })).optional();

const labelSelector = z.strictObject({
  matchLabels: z.record(text(), z.string()).optional(),
  matchExpressions: expressions(['In', 'NotIn', 'Exists', 'DoesNotExist']),
});

const nodeTerm = z.strictObject({
  matchExpressions: expressions(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
  matchFields: expressions(['In', 'NotIn']),
});

const podTerm = z.strictObject({
  topologyKey: text(),
  labelSelector: labelSelector.optional(),
  namespaceSelector: labelSelector.optional(),
  namespaces: list(text()).optional(),
  matchLabelKeys: list(text()).optional(),
  mismatchLabelKeys: list(text()).optional(),
});

const weight = () => z.int().min(1).max(100);

const podAffinity = z.strictObject({
  requiredDuringSchedulingIgnoredDuringExecution: list(podTerm).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: list(
    z.strictObject({ weight: weight(), podAffinityTerm: podTerm }),
  ).optional(),
});

export const affinityFields = z.strictObject({
  nodeAffinity: z
    .strictObject({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .strictObject({ nodeSelectorTerms: list(nodeTerm).min(1) })
        .optional(),
      preferredDuringSchedulingIgnoredDuringExecution: list(
        z.strictObject({ weight: weight(), preference: nodeTerm }),
      ).optional(),
    })
    .optional(),
  podAffinity: podAffinity.optional(),
  podAntiAffinity: podAffinity.optional(),
});

export const spreadFields = z.strictObject({
  maxSkew: z.int().min(1),
  topologyKey: text(),
  whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
  labelSelector: labelSelector.optional(),
  matchLabelKeys: list(text()).optional(),
  minDomains: z.int().min(1).optional(),
  nodeAffinityPolicy: z.enum(['Honor', 'Ignore']).optional(),
  nodeTaintsPolicy: z.enum(['Honor', 'Ignore']).optional(),
});

const content = () => z.record(z.string(), z.unknown()).optional();

/** A volume has exactly one content; its fields are left to the API server. */
export const volumeFields = z.strictObject({
  name: text().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected a name in lower-case letters, digits and "-"'),
  configMap: content(),
  csi: content(),
  downwardAPI: content(),
  emptyDir: content(),
  ephemeral: content(),
  persistentVolumeClaim: content(),
  projected: content(),
  secret: content(),
});
