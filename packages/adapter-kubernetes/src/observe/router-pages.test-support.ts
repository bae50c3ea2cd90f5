/** Router pages, as text and parsed. */
import type { RouterPage, VariantBatches } from './router-page.js';

/** Variable parts of a page. */
export interface PageOver {
  readonly pipeline?: string;
  readonly arrived?: number;
  /** Completed requests within 0.15 s, within 0.3 s (the SLO) and later. */
  readonly completed?: readonly [number, number, number];
  readonly dropped?: number;
  readonly passedOn?: number;
  readonly queue?: number;
  readonly latest?: readonly [number, number, number];
  readonly dispersion?: readonly [number, number];
  readonly batches?: readonly VariantBatches[];
}

/** Page of a pipeline (default `shelf`) as text. */
export function pageText(over: PageOver = {}): string {
  const {
    pipeline = 'shelf',
    arrived = 0,
    completed = [0, 0, 0],
    dropped = 0,
    passedOn = 0,
    queue = 0,
    latest = [0, 0, 0],
    dispersion,
    batches = [],
  } = over;
  const [fast, slow, late] = completed;
  const ended = fast + slow + late;
  const line = (name: string, labels: string, value: number) =>
    `equipoise_${name}{${labels}pipeline="${pipeline}"} ${value}`;
  const bucket = (le: string, count: number) => line('request_duration_seconds_bucket', `le="${le}",`, count);
  return [
    '# HELP equipoise_arrivals_total Requests that arrived.',
    '# TYPE equipoise_arrivals_total counter',
    line('arrivals_total', '', arrived),
    ...[0.25, 0.5, 1].map((window, i) => line('arrivals_latest', `window_seconds="${window}",`, latest[i] ?? 0)),
    ...(dispersion === undefined
      ? []
      : [0.303, 10].map((s, i) => line('arrival_dispersion', `window_seconds="${s}",`, dispersion[i] ?? 1))),
    line('requests_total', 'outcome="completed",reason="",', ended),
    line('requests_total', 'outcome="dropped",reason="queue-full",', dropped),
    line('shared_requests_total', 'outcome="answered",', passedOn),
    line('shared_requests_total', 'outcome="returned",', 0),
    line('requests_within_slo_total', '', fast + slow),
    bucket('0.15', fast),
    bucket('0.3', fast + slow),
    bucket('+Inf', ended),
    ...['detect', 'classify'].map((stage) => line('stage_queue_length', `stage="${stage}",`, queue)),
    line('stage_dropped_total', 'stage="detect",reason="queue-full",', dropped),
    line('stage_dropped_total', 'stage="detect",reason="deadline-passed",', 0),
    ...batches.flatMap(({ stage, variant, count, items, serviceS }) => {
      const of = (name: string, value: number) => line(name, `stage="${stage}",variant="${variant}",`, value);
      return [
        of('batch_service_seconds_count', count),
        of('batch_service_seconds_sum', serviceS),
        of('batch_size_sum', items),
      ];
    }),
    'process_cpu_seconds_total 12.5',
    '',
  ].join('\n');
}

/** Parsed form of such a page. */
export function page(over: PageOver = {}): RouterPage {
  const {
    arrived = 0,
    completed = [0, 0, 0],
    dropped = 0,
    passedOn = 0,
    queue = 0,
    latest = [0, 0, 0],
    dispersion,
    batches = [],
  } = over;
  const [fast, slow, late] = completed;
  return {
    arrivedTotal: arrived,
    withinSloTotal: fast + slow,
    endedTotal: fast + slow + late + dropped,
    passedOnTotal: passedOn,
    outcomes: { completed: fast + slow + late, failed: 0, dropped: { 'queue-full': dropped } },
    latencies: [
      { upToS: 0.15, count: fast },
      { upToS: 0.3, count: slow },
      { upToS: Number.POSITIVE_INFINITY, count: late },
    ],
    stages: {
      detect: { queueLength: queue, droppedTotal: dropped },
      classify: { queueLength: queue, droppedTotal: 0 },
    },
    batches,
    latest: [0.25, 0.5, 1].map((windowS, i) => ({ windowS, arrivals: latest[i] ?? 0 })),
    ...(dispersion && {
      burstiness: { sloMs: 303, dispersionAtSlo: dispersion[0], dispersionAt10s: dispersion[1] },
    }),
  };
}
