import type { JsonSchemaNode } from '../schema/pipeline-json-schema.js';
import type { LocatedNode } from '../yaml/located-node.js';
import { nearestSpelling } from './nearest-spelling.js';
import { numberInText } from './number-in-text.js';

/** Replacement, and the reason for the message. */
export interface Correction {
  readonly suggestion: string;
  readonly hint?: string;
}

/** Probable correction of a refused value in the field named `field`. */
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
    if (number !== undefined) return { suggestion: String(number), hint: 'numbers stand without quotes and unit' };
  }
  const constant = alternatives.find((alternative) => alternative.const !== undefined)?.const;
  if (constant !== undefined) return { suggestion: String(constant) };
  const words = alternatives.flatMap((alternative) => (alternative.enum ?? []).map(String));
  const suggestion = nearestSpelling(text, words);
  return suggestion === undefined ? undefined : { suggestion };
}

const quoted = ({ source, value }: LocatedNode): Correction => ({
  suggestion: JSON.stringify(source ?? String(value)),
  hint: 'text that looks like a number or a truth value stands in quotes',
});

const isFraction = ({ type, minimum, exclusiveMinimum, maximum }: JsonSchemaNode): boolean =>
  type === 'number' && maximum === 1 && (minimum ?? exclusiveMinimum) === 0;
