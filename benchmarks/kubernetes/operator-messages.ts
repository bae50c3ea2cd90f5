/** What the process of the operator is told, and what it tells. */
import type { Plan } from '@equipoise/core/model';

/** The first message: the cluster, the namespace and the plans of all pipelines by their key. */
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

/** Processor time so far, and what failed and was tried again. */
export interface OperatorUsage {
  readonly processorS: number;
  readonly residentBytes: number;
  readonly failures: readonly string[];
}
