import type { JsonSchemaNode } from '../schema/pipeline-json-schema.js';
import type { LocatedNode } from '../yaml/located-node.js';
import { nearestSpelling } from './nearest-spelling.js';

/** Replacement for a wrong value, with its reason. */
export interface Correction {
  readonly suggestion: string;
  readonly hint?: string;
}

/** Probable correction of a wrong value. */
export function correctionOf(schema: JsonSchemaNode, found: LocatedNode, field: string): Correction | undefined {
  const alternatives = schema.anyOf ?? [schema];
  const { value } = found;
  if (typeof value === 'string') return correctionOfText(alternatives, value, field);
  if (typeof value === 'number' && alternatives.some(isFraction) && value > 1 && value <= 100)
    return { suggestion: String(Number((value / 100).toPrecision(12))), hint: 'fractions are 0…1' };
  const isWord = typeof value === 'number' || typeof value === 'boolean';
  if (isWord && alternatives.some(({ type }) => type === 'string'))
    return correctionOfText(alternatives, found.source ?? String(value), field) ?? quoted(found);
  return undefined;
}

function correctionOfText(
  alternatives: readonly JsonSchemaNode[],
  text: string,
  field: string,
): Correction | undefined {
  if (alternatives.some(({ type }) => type === 'number' || type === 'integer')) {
    const number = numberInText(text, field);
    if (number !== undefined) return { suggestion: String(number), hint: 'write numbers without quotes and unit' };
  }
  const constant = alternatives.find((alternative) => alternative.const !== undefined)?.const;
  if (constant !== undefined) return { suggestion: String(constant) };
  const words = alternatives.flatMap((alternative) => (alternative.enum ?? []).map(String));
  const suggestion = nearestSpelling(text, words);
  return suggestion === undefined ? undefined : { suggestion };
}

const quoted = ({ source, value }: LocatedNode): Correction => ({
  suggestion: JSON.stringify(source ?? String(value)),
  hint: 'quote text that looks like a number or a boolean',
});

const isFraction = ({ type, minimum, exclusiveMinimum, maximum }: JsonSchemaNode): boolean =>
  type === 'number' && maximum === 1 && (minimum ?? exclusiveMinimum) === 0;

/**
 * Number with a unit: "0.5s" is 500 in latencyMs, "250m" is 0.25 in cpuCores, "200Mi" is 209715200 in memoryBytes,
 * "61%" is 0.61 in a fraction.
 */
const NUMBER_WITH_UNIT = /^([<≤=p\s]*)([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([a-zµ%]*)$/i;

type Units = Readonly<Record<string, number>>;

const TIME_MS: Units = { us: 0.001, µs: 0.001, ms: 1, s: 1000, sec: 1000, min: 60_000, h: 3_600_000 };
const CORES: Units = { m: 0.001, core: 1, cores: 1, cpu: 1, cpus: 1 };
const BYTES: Units = {
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  ki: 2 ** 10,
  kib: 2 ** 10,
  mi: 2 ** 20,
  mib: 2 ** 20,
  gi: 2 ** 30,
  gib: 2 ** 30,
};

function unitsOf(field: string): Units {
  if (field.endsWith('Ms')) return TIME_MS;
  if (field === 'cpuCores') return CORES;
  if (field.endsWith('Bytes')) return BYTES;
  return field === 'percentile' ? { '%': 1 } : { '%': 0.01 };
}

export function numberInText(text: string, field: string): number | undefined {
  const [, , digits, unit = ''] = NUMBER_WITH_UNIT.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const factor = unit === '' ? 1 : unitsOf(field)[unit.toLowerCase()];
  return factor === undefined ? undefined : Number((Number(digits) * factor).toPrecision(12));
}
