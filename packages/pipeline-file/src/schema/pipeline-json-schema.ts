import { z } from 'zod';
import { pipelineFileSchema } from './pipeline-file-schema.js';

export interface JsonSchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchemaNode;
  readonly items?: JsonSchemaNode;
  readonly anyOf?: readonly JsonSchemaNode[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

const generated = new WeakMap<z.ZodType, JsonSchemaNode>();

/** JSON Schema of a zod schema. It is generated at the first call, because it takes 0.1 s and valid files need none. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchemaNode {
  const before = generated.get(schema);
  if (before !== undefined) return before;
  const node = z.toJSONSchema(schema, { io: 'input' }) as JsonSchemaNode;
  generated.set(schema, node);
  return node;
}

export const pipelineJsonSchema = (): JsonSchemaNode => jsonSchemaOf(pipelineFileSchema);

/** Describes a schema, such as "a number above 0" or "one of auto, advise, off". */
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
