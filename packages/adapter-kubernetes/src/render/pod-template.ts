/** Common parts of pods: restricted security standard, read-only root, spread over machines and zones. */
import type { Labels } from '../cluster/object-names.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import {
  type ConfigMapSource,
  type Container,
  type ContainerSecurity,
  type PodTemplate,
  type PreStop,
  type Probe,
  pauseSecondsOf,
} from './manifest-types.js';
import { type Placement, withPlacement } from './placement.js';
import { GPU_RESOURCE } from './quantities.js';

/** User of the Node and MLServer images. */
const USER_ID = 1000;

/** Default time in which senders learn that a pod terminates. */
export const LEAVE_S = 5;
const SPARE_S = 5;

/** The only writable folder except /tmp; it contains the pipeline file. */
export const STATE_DIR = '/var/lib/equipoise';
export const PIPELINE_DIR = '/pipeline';

export const CONFIG_DIGEST = `${LABEL_PREFIX}/config-digest`;

/** Name of the pipeline file in pods. */
export const FILE = 'pipeline.yaml';
export const CONFIG_VOLUME = 'config';

/** Key of a pipeline file in its ConfigMap. */
export const fileKeyOf = (digest: string): string => `pipeline-${digest}.yaml`;

/** Volume with the file of this digest. */
export const configVolume = (
  name: string,
  digest: string,
): { readonly name: string; readonly configMap: ConfigMapSource } => ({
  name: CONFIG_VOLUME,
  configMap: { name, items: [{ key: fileKeyOf(digest), path: FILE }] },
});

const security: ContainerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

export interface PodTemplateInput {
  readonly labels: Labels;
  readonly selector: Labels;
  readonly serviceAccount: string;
  readonly container: Container;
  readonly initContainer?: Container;
  readonly drainMs: number;
  /** Pause before SIGTERM, in which a terminating pod keeps serving; default: `LEAVE_S`. */
  readonly preStop?: PreStop;
  /** Config map with the digest of pipeline.yaml; a changed digest starts a rollout. */
  readonly config?: { readonly name: string; readonly digest: string } | undefined;
  readonly placement?: Placement | undefined;
  /** Pods among which these are spread over machines and zones; default: `selector`. */
  readonly spreadAmong?: Labels | undefined;
}

export function podTemplate(parts: PodTemplateInput): PodTemplate {
  const { labels, serviceAccount, container, initContainer, drainMs, config } = parts;
  const selector = parts.spreadAmong ?? parts.selector;
  const { preStop = { sleep: { seconds: LEAVE_S } } } = parts;
  const isOnGpu = container.resources?.limits[GPU_RESOURCE] !== undefined;
  const template: PodTemplate = {
    metadata: { labels, ...(config && { annotations: { [CONFIG_DIGEST]: config.digest } }) },
    spec: {
      serviceAccountName: serviceAccount,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: pauseSecondsOf(preStop) + Math.ceil(drainMs / 1000) + SPARE_S,
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
      containers: [{ ...withSecurity(container, config !== undefined), lifecycle: { preStop } }],
      volumes: [
        { name: 'state', emptyDir: {} },
        { name: 'tmp', emptyDir: {} },
        ...(config ? [configVolume(config.name, config.digest)] : []),
      ],
    },
  };
  return withPlacement(template, selector, parts.placement);
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
              name: CONFIG_VOLUME,
              mountPath: `${STATE_DIR}/${FILE}`,
              subPath: FILE,
              readOnly: true as const,
            },
          ]
        : []),
    ],
  };
}

/** Paths of health probes; missing for containers that speak only gRPC. */
export interface HealthPaths {
  readonly port: string;
  readonly ready?: string;
  readonly live?: string;
}

const STARTUP_PERIOD_S = 2;
const LEAST_STARTUP_S = 120;
/** Factor on the load time, because a machine that starts many pods is slow. */
const STARTUP_FACTOR = 10;

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
      periodSeconds: STARTUP_PERIOD_S,
      failureThreshold: startupFailures,
      timeoutSeconds: 2,
    },
    readinessProbe: { ...look(ready), periodSeconds: 2, failureThreshold: 3, timeoutSeconds: 2 },
    livenessProbe: { ...look(live), periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 },
  };
}

/** Progress deadline: twice the longest start. */
export function progressDeadlineSeconds(probe: Probe): number {
  return 2 * probe.periodSeconds * probe.failureThreshold;
}
