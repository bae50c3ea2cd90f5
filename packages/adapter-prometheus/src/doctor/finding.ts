/** A fault on the way from a pod to a figure. Each finding names what to do. */
import type { PrometheusFailure } from '../api/http-answer.js';
import type { SeriesSource } from '../series/watched-pipeline.js';

export type Check =
  | 'prometheus-unreachable'
  | 'prometheus-refuses'
  | 'clock-skew'
  | 'target-missing'
  | 'target-dropped'
  | 'scrape-fails'
  | 'scrape-not-permitted'
  | 'scraped-twice'
  | 'scrape-interval'
  | 'series-missing'
  | 'series-stale'
  | 'label-renamed'
  | 'label-mismatch'
  | 'wrong-namespace'
  | 'buckets-missing'
  | 'counter-resets'
  | 'rules-missing'
  | 'rule-fails';

/** A warning costs convenience, an error a figure. */
export interface Finding {
  readonly check: Check;
  readonly severity: 'error' | 'warning';
  readonly source?: SeriesSource;
  /** Fault, its place, and the expected state. */
  readonly message: string;
  readonly fix: string;
}

/** Fix by failure of a server. */
const FIXES: Readonly<Record<PrometheusFailure, string>> = {
  connection:
    'Check the address and that Prometheus runs. On a cluster, a network policy may have to admit the caller to its port.',
  tls: 'Name the authority that signed the certificate with --prometheus-ca-file.',
  timeout: 'Check the load of Prometheus (`prometheus_engine_query_duration_seconds`) and give it more memory or CPU.',
  unauthenticated: 'Name a file with a valid bearer token with --prometheus-token-file.',
  forbidden:
    'Give the account of the token the right to query: on OpenShift the role cluster-monitoring-view, elsewhere that of the proxy in front of Prometheus.',
  redirected: 'Name the address of Prometheus itself, not that of a login page in front of it.',
  unavailable:
    'Wait until Prometheus is ready (`/-/ready`). If it never is, look at its pods, their memory and their log.',
  'not-prometheus': 'Name the address of Prometheus with --prometheus, without a path of its web pages.',
  'too-large': 'Ask a Prometheus with fewer series, or one for each namespace.',
  refused: 'Check that the server has the query API of Prometheus 2.42 or later.',
};

const NOT_PERMITTED: ReadonlySet<PrometheusFailure> = new Set(['unauthenticated', 'forbidden']);

export function serverFinding(failure: PrometheusFailure, message: string): Finding {
  const check = NOT_PERMITTED.has(failure) ? 'prometheus-refuses' : 'prometheus-unreachable';
  return { check, severity: 'error', message, fix: FIXES[failure] };
}
