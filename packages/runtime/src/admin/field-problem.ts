import type { z } from 'zod';

const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' entries', object: ' fields' };

/** Says what was expected and what was found, without quoting values. Undefined: the words of the schema. */
export function fieldProblem(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `unknown field${issue.keys.length === 1 ? '' : 's'} ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
    case 'invalid_type':
      return issue.input === undefined ? 'missing' : `expected ${issue.expected}, found ${kindOf(issue.input)}`;
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'too_big':
      return `expected ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}${UNITS[issue.origin] ?? ''}`;
    case 'too_small':
      return `expected ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}${UNITS[issue.origin] ?? ''}`;
    default:
      return undefined;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'no finite number';
  return Array.isArray(value) ? 'list' : typeof value;
}
