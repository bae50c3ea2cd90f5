/** The JSON Schema (draft 2020-12) of the pipeline file, made from the same definitions that parse it. */
import { z } from 'zod';
import { accuracyTableSchema } from './accuracy-table-schema.js';
import { pipelineFileSchema } from './pipeline-file-schema.js';

/** The parts of JSON Schema that the definitions use. */
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

/** JSON Schema of a pipeline file, for editors. */
export const pipelineJsonSchema: JsonSchemaNode = generate(pipelineFileSchema);

/** JSON Schema of an accuracy table in its own file. */
export const accuracyTableJsonSchema: JsonSchemaNode = generate(accuracyTableSchema);
