/** Faults of scrapes: of each pod that writes series, and of the kubelets that write those of cAdvisor. */
import type { ScrapeTarget } from '../api/server-state.js';
import type { SeriesSource } from '../series/watched-pipeline.js';
import type { Finding } from './finding.js';

/** A pod whose own port Prometheus has to scrape. */
export interface ScrapedPod {
  readonly name: string;
  readonly namespace: string;
  readonly source: SeriesSource;
}

const CADVISOR_PATH = /\/metrics\/cadvisor$/;
const MOST_NAMED = 3;

export function targetFindings(
  targets: readonly ScrapeTarget[],
  pods: readonly ScrapedPod[],
  scrapeIntervalMs: number,
): readonly Finding[] {
  const byPod = pods.map((pod) => ({ pod, own: targets.filter((target) => isOf(target, pod)) }));
  const active = byPod.map(({ pod, own }) => ({ pod, own: own.filter(({ state }) => state !== 'dropped') }));
  const withoutTarget = byPod.filter((_, index) => active[index]?.own.length === 0);
  return [
    ...missingTargets(withoutTarget, targets),
    ...active.flatMap(({ own }) => own.filter(({ state }) => state === 'down').map(failedScrape)),
    ...active.flatMap(({ pod, own }) => scrapedTwice(pod, own)),
    ...intervalFindings(
      active.flatMap(({ own }) => own),
      scrapeIntervalMs,
    ),
  ];
}

/** Faults of the kubelets' targets. */
export function cadvisorFindings(targets: readonly ScrapeTarget[], scrapeIntervalMs: number): readonly Finding[] {
  const own = targets.filter(({ url, state }) => state !== 'dropped' && CADVISOR_PATH.test(pathOf(url)));
  if (own.length === 0) {
    return [
      {
        check: 'target-missing',
        severity: 'error',
        source: 'cadvisor',
        message: 'No target has the path /metrics/cadvisor, so there are no series of CPU, memory and throttling.',
        fix: 'Scrape the kubelets at /metrics/cadvisor: kube-prometheus-stack does with kubelet.serviceMonitor.cAdvisor: true; deploy/monitoring-stack has a job for it.',
      },
    ];
  }
  const down = own.filter(({ state }) => state === 'down');
  return [...down.slice(0, MOST_NAMED).map(failedScrape), ...intervalFindings(own, scrapeIntervalMs)];
}

function isOf({ labels, discovered }: ScrapeTarget, { name, namespace }: ScrapedPod): boolean {
  const pod = labels['pod'] ?? discovered['__meta_kubernetes_pod_name'];
  return (
    pod === name && [undefined, namespace].includes(discovered['__meta_kubernetes_namespace'] ?? labels['namespace'])
  );
}

function missingTargets(
  lacking: readonly { readonly pod: ScrapedPod; readonly own: readonly ScrapeTarget[] }[],
  targets: readonly ScrapeTarget[],
): readonly Finding[] {
  const dropped = lacking.filter(({ own }) => own.length > 0);
  const unknown = lacking.filter(({ own }) => own.length === 0);
  return [
    ...bySource(dropped).map(([source, some]): Finding => {
      const jobs = [...new Set(some.flatMap(({ own }) => own.map(({ job }) => job)))].join(', ');
      return {
        check: 'target-dropped',
        severity: 'error',
        source,
        message: `Prometheus found ${podsText(some)} but dropped them by the relabeling of ${jobs}.`,
        fix: 'Make the selector of a PodMonitor, or a `keep` rule of a job, accept these pods and a port of theirs: deploy/monitoring has the PodMonitor.',
      };
    }),
    ...bySource(unknown).map(([source, some]): Finding => {
      const { namespace } = some[0]?.pod ?? { namespace: '' };
      const knows = targets.some(({ discovered, labels }) =>
        [discovered['__meta_kubernetes_namespace'], labels['namespace']].includes(namespace),
      );
      return {
        check: 'target-missing',
        severity: 'error',
        source,
        message: `No target is one of ${podsText(some)}${knows ? '' : `, and none is in the namespace ${namespace}`}.`,
        fix: knows
          ? 'Apply the PodMonitor of deploy/monitoring, with the labels that the podMonitorSelector of your Prometheus wants; or add a scrape job.'
          : `Let Prometheus discover the namespace ${namespace}: podMonitorNamespaceSelector of the Prometheus object, and a Role that lets its account list pods there.`,
      };
    }),
  ];
}

function bySource<Each extends { readonly pod: ScrapedPod }>(all: readonly Each[]): readonly [SeriesSource, Each[]][] {
  const found = new Map<SeriesSource, Each[]>();
  for (const each of all) found.set(each.pod.source, [...(found.get(each.pod.source) ?? []), each]);
  return [...found];
}

function podsText(some: readonly { readonly pod: ScrapedPod }[]): string {
  const names = some.slice(0, MOST_NAMED).map(({ pod }) => pod.name);
  const more = some.length - names.length;
  return `the ${some.length === 1 ? 'pod' : 'pods'} ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Fix by the error of a scrape. */
const SCRAPE_FIXES: readonly (readonly [RegExp, Finding['check'], string])[] = [
  [
    /\b(401|403)\b/,
    'scrape-not-permitted',
    'Give the account of Prometheus the right: for kubelets `get` on nodes/metrics by a ClusterRole; for a server with tokens an `authorization` in the PodMonitor or job.',
  ],
  [
    /\b404\b/,
    'scrape-fails',
    'Correct the path: Equipoise, MLServer and Seldon Core 2 have /metrics, Seldon Core 1 /prometheus.',
  ],
  [
    /connection refused/,
    'scrape-fails',
    'Correct the port, or wait until the pod listens: Equipoise 8080, MLServer 8082, its operator 8082.',
  ],
  [
    /deadline exceeded|i\/o timeout|no route|connection reset/,
    'scrape-fails',
    'Let a network policy admit Prometheus to the port: those of Equipoise admit pods with the label app.kubernetes.io/name: prometheus. In a mesh with strict mTLS, scrape the merged metrics of the sidecar.',
  ],
  [/x509|certificate|tls/i, 'scrape-fails', 'Correct scheme and tlsConfig of the PodMonitor or job.'],
  [/no such host/, 'scrape-fails', 'Correct the address of the target.'],
];

function failedScrape({ url, job, lastError }: ScrapeTarget): Finding {
  const [, check, fix] = SCRAPE_FIXES.find(([pattern]) => pattern.test(lastError)) ?? [
    undefined,
    'scrape-fails' as const,
    'Open the address of the target from the pod of Prometheus and correct what it answers.',
  ];
  return { check, severity: 'error', message: `The scrape of ${url} (job ${job}) fails: ${lastError}.`, fix };
}

function scrapedTwice({ name, source }: ScrapedPod, own: readonly ScrapeTarget[]): readonly Finding[] {
  const byUrl = new Map<string, Set<string>>();
  for (const { url, job } of own) byUrl.set(url, (byUrl.get(url) ?? new Set()).add(job));
  return [...byUrl].flatMap(([url, jobs]): Finding[] => {
    if (jobs.size < 2) return [];
    return [
      {
        check: 'scraped-twice',
        severity: 'error',
        source,
        message: `The pod ${name} is scraped by ${[...jobs].join(' and ')} at ${url}, so its rates count ${jobs.size} times.`,
        fix: 'Remove one of these jobs or monitors; annotations prometheus.io/scrape next to a PodMonitor have this effect.',
      },
    ];
  });
}

function intervalFindings(own: readonly ScrapeTarget[], expectedMs: number): readonly Finding[] {
  const slow = own.filter(({ scrapeIntervalMs = 0 }) => scrapeIntervalMs > expectedMs);
  const jobs = new Map(slow.map((target) => [target.job, target.scrapeIntervalMs ?? 0]));
  return [...jobs].map(([job, ms]) => ({
    check: 'scrape-interval',
    severity: 'error',
    message: `The job ${job} scrapes every ${ms / 1000} s, but samples count as stale after ${(2 * expectedMs) / 1000} s.`,
    fix: `Name the interval with --scrape-interval-s ${ms / 1000}, or set the interval of the PodMonitor or job to ${expectedMs / 1000} s.`,
  }));
}

const pathOf = (url: string): string => (URL.canParse(url) ? new URL(url).pathname : '');
