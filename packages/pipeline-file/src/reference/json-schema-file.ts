import { pipelineJsonSchema } from '../schema/pipeline-json-schema.js';

/** Content of pipeline-file.schema.json, for editors. */
export function renderPipelineFileSchema(): string {
  return `${JSON.stringify(pipelineJsonSchema, null, 2)}\n`;
}
