/** JSON Schema (draft 2020-12) from the zod definitions. */
import { z } from 'zod';
import { accuracyTableSchema } from './accuracy-table-schema.js';
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

const generate = (schema: z.ZodType): JsonSchemaNode => z.toJSONSchema(schema, { io: 'input' }) as JsonSchemaNode;

export const pipelineJsonSchema: JsonSchemaNode = generate(pipelineFileSchema);

export const accuracyTableJsonSchema: JsonSchemaNode = generate(accuracyTableSchema);
