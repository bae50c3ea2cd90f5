/** What runs the containers of pods, behind the kubelet of a test. */
import type { KubeObject } from '../api/kube-object.js';
import type { PodSpec } from '../render/manifest-types.js';

/** A pod with what its containers are to do. */
export interface HostedPod extends KubeObject {
  readonly spec: Pick<PodSpec, 'containers' | 'initContainers' | 'volumes' | 'terminationGracePeriodSeconds'>;
}

/** Starts and stops pods. */
export interface PodHost {
  /** Starts a pod at its address; `changed` is told whenever it becomes ready, or is so no more. */
  start(pod: HostedPod, podIp: string, changed: (isReady: boolean) => void): void;
  /** Ends a pod as a kubelet does; resolves when nothing of it runs any more. */
  stop(pod: Pick<HostedPod, 'metadata'>): Promise<void>;
}
