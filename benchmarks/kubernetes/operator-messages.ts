/** Messages to and from the process of the operator. */
import type { Plan } from '@equipoise/core/model';

/** First message: the cluster, the namespace and the plans by pipeline key. */
export interface OperatorStart {
  readonly kind: 'start';
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly plans: Readonly<Record<string, Plan>>;
}

export type OperatorCommand =
  | OperatorStart
  | { readonly kind: 'decide'; readonly plans: Readonly<Record<string, Plan>> }
  | { readonly kind: 'usage' }
  | { readonly kind: 'stop' };

/** Processor time so far, and retried failures. */
export interface OperatorUsage {
  readonly processorS: number;
  readonly residentBytes: number;
  readonly failures: readonly string[];
}
