/** The text format of Prometheus, as far as samples go: names, labels and values; everything else is passed over. */

/** One sample. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/**
 * The samples of the metrics in `names`, by name and in the order of the page; a line that is none is passed over. Pages are long and few of
 * their lines are wanted, so lines are found by their names.
 */
export function metricSamples(text: string, names: ReadonlySet<string>): readonly MetricSample[] {
  const page = `\n${text}`;
  const samples: MetricSample[] = [];
  for (const name of names) {
    const start = `\n${name}`;
    for (let at = page.indexOf(start); at >= 0; at = page.indexOf(start, at + 1)) {
      const end = page.indexOf('\n', at + 1);
      const [, found, labels = '', value = ''] = LINE.exec(page.slice(at + 1, end < 0 ? undefined : end)) ?? [];
      if (found === name) samples.push({ name, labels: labelsOf(labels), value: numberOf(value) });
    }
  }
  return samples;
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(LABEL))
    labels[name] = value.includes('\\') ? value.replaceAll(/\\(.)/g, unescaped) : value;
  return labels;
}

const unescaped = (_: string, character: string): string => (character === 'n' ? '\n' : character);

const numberOf = (text: string): number => (/^\+?Inf/i.test(text) ? Number.POSITIVE_INFINITY : Number(text));
