/** The text format of Prometheus, as far as samples go: names, labels and values; everything else is passed over. */

/** One sample. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of the metrics in `names`, in the order of the page; a line that is none is passed over. */
export function metricSamples(text: string, names: ReadonlySet<string>): readonly MetricSample[] {
  const samples: MetricSample[] = [];
  for (const line of text.split('\n')) {
    const end = line.search(/[{\s]/);
    if (end <= 0 || !names.has(line.slice(0, end))) continue;
    const [, name, labels = '', value = ''] = LINE.exec(line) ?? [];
    if (name !== undefined) samples.push({ name, labels: labelsOf(labels), value: numberOf(value) });
  }
  return samples;
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...text.matchAll(LABEL)].map(([, name = '', value = '']) => [name, value.replaceAll(/\\(.)/g, unescaped)]),
  );
}

const unescaped = (_: string, character: string): string => (character === 'n' ? '\n' : character);

const numberOf = (text: string): number => (/^\+?Inf/i.test(text) ? Number.POSITIVE_INFINITY : Number(text));
