/**
 * What all pods of a pipeline have in common: they run without rights on a read-only root (the restricted pod security standard), spread
 * over machines and zones, and leave the Service before they stop.
 */
import type { Labels } from '../cluster/object-names.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import type { Container, ContainerSecurity, PodTemplate, Probe } from './manifest-types.js';
import { GPU_RESOURCE } from './quantities.js';

/** The user of the images of Node and of MLServer. */
const USER_ID = 1000;

/** Time for everybody who sends to a pod to learn that it goes, before it is told to stop. */
const LEAVE_S = 5;
/** Beyond what may still run. */
const SPARE_S = 5;

/** The only folder that a container may write to beside its temporary one; the pipeline file lies there, too. */
export const STATE_DIR = '/var/lib/equipoise';
/** Where an image has the folder of the pipeline. */
export const PIPELINE_DIR = '/pipeline';

/** The annotation of a pod with the digest of the configuration that it was started with. */
export const CONFIG_DIGEST = `${LABEL_PREFIX}/config-digest`;

const security: ContainerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/** What differs from pod to pod. */
export interface PodTemplateInput {
  readonly labels: Labels;
  readonly selector: Labels;
  readonly serviceAccount: string;
  readonly container: Container;
  readonly initContainer?: Container;
  /** Longest time that what has begun may take, in ms. */
  readonly drainMs: number;
  /** The ConfigMap whose pipeline.yaml the container reads, and a digest of it, which makes a change a rollout. */
  readonly config?: { readonly name: string; readonly digest: string };
}

/** The template of a Deployment or of what takes the place of one. */
export function podTemplate(parts: PodTemplateInput): PodTemplate {
  const { labels, selector, serviceAccount, container, initContainer, drainMs, config } = parts;
  const isOnGpu = container.resources?.limits[GPU_RESOURCE] !== undefined;
  return {
    metadata: { labels, ...(config && { annotations: { [CONFIG_DIGEST]: config.digest } }) },
    spec: {
      serviceAccountName: serviceAccount,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: LEAVE_S + Math.ceil(drainMs / 1000) + SPARE_S,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER_ID,
        runAsGroup: USER_ID,
        fsGroup: USER_ID,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
        maxSkew: 1,
        topologyKey,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: selector },
      })),
      ...(isOnGpu && { tolerations: [{ key: GPU_RESOURCE, operator: 'Exists', effect: 'NoSchedule' }] }),
      ...(initContainer && { initContainers: [withSecurity(initContainer, config !== undefined)] }),
      containers: [
        { ...withSecurity(container, config !== undefined), lifecycle: { preStop: { sleep: { seconds: LEAVE_S } } } },
      ],
      volumes: [
        { name: 'state', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
        ...(config ? [{ name: 'config', configMap: { name: config.name } }] : []),
      ],
    },
  };
}

function withSecurity(container: Container, hasConfig: boolean): Container {
  return {
    ...container,
    imagePullPolicy: 'IfNotPresent',
    securityContext: security,
    volumeMounts: [
      { name: 'state', mountPath: STATE_DIR },
      { name: 'tmp', mountPath: '/tmp' },
      ...(hasConfig
        ? [
            {
              ...{ name: 'config', mountPath: `${STATE_DIR}/pipeline.yaml`, subPath: 'pipeline.yaml' },
              readOnly: true as const,
            },
          ]
        : []),
    ],
  };
}

/** Addresses by which a container tells how it is; `ready` and `live` are paths, left out where it speaks gRPC alone. */
export interface HealthPaths {
  readonly port: string;
  readonly ready?: string;
  readonly live?: string;
}

const STARTUP_PERIOD_S = 2;
const LEAST_STARTUP_S = 120;
/** On a machine that is busy with starting, a load takes many times as long as it was measured. */
const STARTUP_FACTOR = 10;

/** A container is started when it is ready for the first time, and alive as long as it answers. */
export function probes(
  { port, ready, live }: HealthPaths,
  loadMs = 0,
): Required<Pick<Container, 'startupProbe' | 'readinessProbe' | 'livenessProbe'>> {
  const look = (path: string | undefined): Pick<Probe, 'httpGet' | 'tcpSocket'> =>
    path === undefined ? { tcpSocket: { port } } : { httpGet: { path, port } };
  const startupS = Math.max(LEAST_STARTUP_S, (STARTUP_FACTOR * loadMs) / 1000);
  const startupFailures = Math.ceil(startupS / STARTUP_PERIOD_S);
  return {
    startupProbe: {
      ...look(ready),
      ...{ periodSeconds: STARTUP_PERIOD_S, failureThreshold: startupFailures, timeoutSeconds: 2 },
    },
    readinessProbe: { ...look(ready), periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 2 },
    livenessProbe: { ...look(live), periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 },
  };
}

/** Time after which a rollout counts as failed: all pods may take as long as they may to start. */
export function progressDeadlineSeconds(probe: Probe): number {
  return 2 * probe.periodSeconds * probe.failureThreshold;
}
