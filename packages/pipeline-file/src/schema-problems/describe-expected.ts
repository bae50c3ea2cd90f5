import type { JsonSchemaNode } from '../schema/pipeline-json-schema.js';

/** Phrases such as "a number above 0", "one of auto, advise, off". */
export function describeExpected(node: JsonSchemaNode): string {
  if (node.anyOf !== undefined) return node.anyOf.map(describeExpected).join(' or ');
  if (node.const !== undefined) return String(node.const);
  if (node.enum !== undefined) return node.enum.length === 1 ? String(node.enum[0]) : `one of ${node.enum.join(', ')}`;
  switch (node.type) {
    case 'number':
      return `a number${describeRange(node)}`;
    case 'integer':
      return `a whole number${describeRange(node)}`;
    case 'string':
      return (node.minLength ?? 0) > 0 ? 'text that is not empty' : 'text';
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list${describeLength(node)}${describeItems(node)}`;
    default:
      return 'a mapping';
  }
}

function describeRange(node: JsonSchemaNode): string {
  const { minimum, exclusiveMinimum, exclusiveMaximum } = node;
  const maximum = node.maximum === Number.MAX_SAFE_INTEGER ? undefined : node.maximum;
  const from = exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : undefined;
  const to = exclusiveMaximum !== undefined ? `below ${exclusiveMaximum}` : undefined;
  if (from === undefined && to === undefined && minimum !== undefined && maximum !== undefined)
    return ` from ${minimum} to ${maximum}`;
  const parts = [
    from ?? (minimum === undefined ? undefined : `of at least ${minimum}`),
    to ?? (maximum === undefined ? undefined : `at most ${maximum}`),
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

function describeLength({ minItems, maxItems }: JsonSchemaNode): string {
  if (minItems !== undefined && minItems === maxItems) return ` of ${minItems} entries`;
  return minItems === undefined ? '' : ` of at least ${minItems} ${minItems === 1 ? 'entry' : 'entries'}`;
}

function describeItems({ items }: JsonSchemaNode): string {
  const isScalar = items?.type !== undefined && items.type !== 'object' && items.type !== 'array';
  return isScalar ? `, each ${describeExpected(items)}` : '';
}
