/** JSON Schema (draft 2020-12) from the zod definitions. */
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

/** JSON Schema of a zod schema, generated at the first call: it takes 0.1 s, and valid files do not need it. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchemaNode {
  const before = generated.get(schema);
  if (before !== undefined) return before;
  const node = z.toJSONSchema(schema, { io: 'input' }) as JsonSchemaNode;
  generated.set(schema, node);
  return node;
}

export const pipelineJsonSchema = (): JsonSchemaNode => jsonSchemaOf(pipelineFileSchema);
