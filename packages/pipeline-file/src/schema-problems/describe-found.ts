import type { LocatedNode } from '../yaml/located-node.js';

const LONGEST_QUOTE = 60;

/** Describes a value at the end of a message. */
export function describeFound({ value, source }: LocatedNode): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return `the text ${quoted(value)}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  return source ?? String(value);
}

function quoted(text: string): string {
  return JSON.stringify(text.length <= LONGEST_QUOTE ? text : `${text.slice(0, LONGEST_QUOTE)}…`);
}
