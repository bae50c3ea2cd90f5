/**
 * Placement of pods on a cluster, in the form of a pod template of Kubernetes. `affinity`, `topologySpreadConstraints`
 * and `volumes` are deep, so `semantic-checks/placements.ts` checks their fields.
 */
import { z } from 'zod';
import { text } from './scalars.js';

const MOST_ENTRIES = 32;

const free = () => z.record(z.string(), z.unknown());

const tolerationSchema = z.strictObject({
  key: text().optional().describe('Key of the taint. Without a key, every taint is tolerated (`operator: Exists`).'),
  operator: z.enum(['Equal', 'Exists']).optional().describe('Relation of key and value. Default: `Equal`.'),
  value: z.string().optional().describe('Value of the taint, for `Equal`.'),
  effect: z
    .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .optional()
    .describe('Effect of the taint. Default: every effect.'),
  tolerationSeconds: z
    .int()
    .optional()
    .describe('Seconds that a running pod stays on a node that gets the taint, for `NoExecute`. Default: unlimited.'),
});

const pullSecretSchema = z.strictObject({ name: text().describe('Name of the Secret, in the namespace of the pods.') });

const volumeMountSchema = z.strictObject({
  name: text().describe('Name of a volume in `volumes`.'),
  mountPath: text().regex(/^\//, 'expected an absolute path').describe('Folder in the container.'),
  subPath: text().optional().describe('Path inside the volume. Default: its root.'),
  readOnly: z.boolean().optional().describe('Default: false.'),
});

const sharedFields = {
  nodeSelector: z.record(text(), z.string()).optional().describe('Labels that a node must have.'),
  affinity: free()
    .optional()
    .describe('`nodeAffinity`, `podAffinity` and `podAntiAffinity`, in the form of Kubernetes.'),
  tolerations: z
    .array(tolerationSchema)
    .max(MOST_ENTRIES)
    .optional()
    .describe('Tolerated taints of nodes. Pods with GPUs tolerate `nvidia.com/gpu` in any case.'),
  topologySpreadConstraints: z
    .array(free())
    .max(MOST_ENTRIES)
    .optional()
    .describe(
      'Spread of the pods, in the form of Kubernetes. A constraint without `labelSelector` counts the pods of the same workload. Default: over machines and zones, if possible.',
    ),
  priorityClassName: text().optional().describe('Priority class of the pods.'),
  runtimeClassName: text().optional().describe('Runtime class of the pods, such as `nvidia`.'),
  schedulerName: text().optional().describe('Scheduler of the pods. Default: that of the cluster.'),
  imagePullSecrets: z
    .array(pullSecretSchema)
    .max(MOST_ENTRIES)
    .optional()
    .describe('Secrets with the credentials of image registries.'),
  labels: z.record(text(), z.string()).optional().describe('Additional labels of the pods.'),
  annotations: z.record(text(), z.string()).optional().describe('Additional annotations of the pods.'),
};

const effect = 'Only Kubernetes uses it (`equipoise k8s`, operator).';

/** Of the pods of a pipeline. */
export const pipelinePlacementSchema = z
  .strictObject(sharedFields)
  .optional()
  .describe(
    `Placement of all pods of the pipeline, including the router. \`placement\` of a stage overrides it field by field; mappings of labels and annotations, and \`nodeSelector\`, are merged. ${effect}`,
  );

/** Of the pods of a stage or variant. */
export const placementSchema = (overrides: string) =>
  z
    .strictObject({
      ...sharedFields,
      volumes: z
        .array(free())
        .max(MOST_ENTRIES)
        .optional()
        .describe(
          'Additional volumes, in the form of Kubernetes: `configMap`, `csi`, `downwardAPI`, `emptyDir`, `ephemeral`, `persistentVolumeClaim`, `projected` or `secret`.',
        ),
      volumeMounts: z
        .array(volumeMountSchema)
        .max(MOST_ENTRIES)
        .optional()
        .describe('Places of the additional volumes in the container of the stage.'),
      resources: z
        .record(text(), z.union([z.int().min(1), text()]))
        .optional()
        .describe(
          'Additional resources of the container, as request and limit, such as `{ amd.com/gpu: 1 }`. Plans neither choose nor count them.',
        ),
    })
    .optional()
    .describe(`Placement of the pods on a cluster. It overrides that of the ${overrides}, field by field. ${effect}`);

/** Fields of a pod template that the renderer sets, with the place to change them. */
export const fieldsOfRenderer: Readonly<Record<string, string>> = {
  replicas: 'the plan sets it: use bounds.replicas or pins.replicas of the stage',
  containers: 'the pod has one container: use server.command of the variant, volumes, volumeMounts and resources',
  initContainers: 'the pod has none: put the files into the image or a volume',
  image: 'use --image of equipoise k8s, or the annotation equipoise.dev/images of the custom resource',
  env: 'use server.environment or parameters of the variant',
  command: 'use server.command of the variant',
  args: 'use server.command of the variant',
  ports: 'the renderer sets them',
  securityContext: 'pods keep to the restricted pod security standard',
  serviceAccountName: 'pods run without rights and token',
  automountServiceAccountToken: 'pods run without rights and token',
  terminationGracePeriodSeconds: 'it follows from runTimeoutMs of the stage',
  lifecycle: 'it follows from runTimeoutMs of the stage',
  livenessProbe: 'the renderer sets the probes; their time follows from loadMs of the variant',
  readinessProbe: 'the renderer sets the probes; their time follows from loadMs of the variant',
  startupProbe: 'the renderer sets the probes; their time follows from loadMs of the variant',
  nodeName: 'it bypasses the scheduler: use nodeSelector with kubernetes.io/hostname',
  hostNetwork: 'the restricted pod security standard forbids it',
  hostPID: 'the restricted pod security standard forbids it',
  hostIPC: 'the restricted pod security standard forbids it',
  volumes: 'a volume belongs to a stage or variant: move it to placement of the stage',
  volumeMounts: 'a volume belongs to a stage or variant: move it to placement of the stage',
  resources: 'they belong to a stage or variant: move them to placement of the stage',
};
