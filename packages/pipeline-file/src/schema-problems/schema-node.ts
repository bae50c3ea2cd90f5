/** Finds the JSON Schema of a value, choosing alternatives by the kind of the value. */
import type { ValuePath } from '../problem.js';
import type { JsonSchemaNode } from '../schema/pipeline-json-schema.js';

/** Node for the value at `path`; undefined below free values. */
export function schemaNodeAt(root: JsonSchemaNode, path: ValuePath, document: unknown): JsonSchemaNode | undefined {
  let node: JsonSchemaNode | undefined = root;
  let value: unknown = document;
  for (const step of path) {
    node = childOf(alternativeFor(node, value), step);
    value = (value as Record<string | number, unknown> | undefined)?.[step];
    if (node === undefined) return undefined;
  }
  return node;
}

/** Alternative for values of this kind, or the node itself. */
function alternativeFor(node: JsonSchemaNode, value: unknown): JsonSchemaNode {
  const wanted = Array.isArray(value) ? 'array' : typeof value;
  return node.anyOf?.find(({ type }) => type === wanted || (type === 'integer' && wanted === 'number')) ?? node;
}

function childOf(node: JsonSchemaNode, step: string | number): JsonSchemaNode | undefined {
  if (typeof step === 'number') return node.items;
  if (node.properties !== undefined && Object.hasOwn(node.properties, step)) return node.properties[step];
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
}
