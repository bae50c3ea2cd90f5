/** Port that runs the containers of pods for a test's kubelet. */
import type { KubeObject } from '../api/kube-object.js';
import type { PodSpec } from '../render/manifest-types.js';

/** Pod with the fields of its containers. */
export interface HostedPod extends KubeObject {
  readonly spec: Pick<PodSpec, 'containers' | 'initContainers' | 'volumes' | 'terminationGracePeriodSeconds'>;
}

/** Starts and stops pods. */
export interface PodHost {
  /** Starts a pod at its address; calls `changed` when its readiness changes. */
  start(pod: HostedPod, podIp: string, changed: (isReady: boolean) => void): void;
  /** Stops a pod like a kubelet; resolves when it has stopped completely. */
  stop(pod: Pick<HostedPod, 'metadata'>): Promise<void>;
}
