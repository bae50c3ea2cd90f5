/** Scrape targets and rules of a Prometheus server, as its API lists them. Missing fields read as empty. */

type Text = Readonly<Record<string, string>>;

/** A target; `dropped` means that relabeling or a selector removed it before the first scrape. */
export interface ScrapeTarget {
  readonly state: 'up' | 'down' | 'unknown' | 'dropped';
  /** Labels that its series get. */
  readonly labels: Text;
  /** Labels of the discovery, such as `__meta_kubernetes_pod_name`. */
  readonly discovered: Text;
  readonly job: string;
  readonly url: string;
  readonly lastError: string;
  readonly lastScrapeAtEpochMs?: number;
  readonly scrapeIntervalMs?: number;
}

export interface RuleState {
  readonly group: string;
  readonly name: string;
  readonly kind: 'alerting' | 'recording';
  readonly lastError: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function scrapeTargets(data: Fields): readonly ScrapeTarget[] {
  const active = listOf(data['activeTargets']).map((target): ScrapeTarget => {
    const lastScrapeAtEpochMs = Date.parse(textOf(target['lastScrape']));
    const scrapeIntervalMs = durationMs(textOf(target['scrapeInterval']));
    const health = textOf(target['health']);
    return {
      state: health === 'up' || health === 'down' ? health : 'unknown',
      labels: labelsOf(target['labels']),
      discovered: labelsOf(target['discoveredLabels']),
      job: textOf(target['scrapePool']),
      url: textOf(target['scrapeUrl']),
      lastError: textOf(target['lastError']),
      ...(lastScrapeAtEpochMs > 0 && { lastScrapeAtEpochMs }),
      ...(scrapeIntervalMs !== undefined && { scrapeIntervalMs }),
    };
  });
  const dropped = listOf(data['droppedTargets']).map((target): ScrapeTarget => {
    const discovered = labelsOf(target['discoveredLabels']);
    return { state: 'dropped', labels: {}, discovered, job: discovered['job'] ?? '', url: '', lastError: '' };
  });
  return [...active, ...dropped];
}

export function ruleStates(data: Fields): readonly RuleState[] {
  return listOf(data['groups']).flatMap((group) =>
    listOf(group['rules']).map((rule) => ({
      group: textOf(group['name']),
      name: textOf(rule['name']),
      kind: rule['type'] === 'recording' ? 'recording' : 'alerting',
      lastError: textOf(rule['lastError']),
    })),
  );
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads a duration of Prometheus, such as `1m30s`; undefined for other texts. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(ms|s|m|h|d))+$/.test(text)) return undefined;
  return [...text.matchAll(/(\d+)(ms|s|m|h|d)/g)].reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (UNIT_MS[unit] ?? 0),
    0,
  );
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : [];
}

/** Labels that are text. */
export function labelsOf(value: unknown): Text {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string'));
}
