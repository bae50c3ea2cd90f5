/** The file pipeline-file.schema.json, for editors. */
import { pipelineJsonSchema } from '../schema/pipeline-json-schema.js';

/** Content of the file. */
export function renderPipelineFileSchema(): string {
  return `${JSON.stringify(pipelineJsonSchema, null, 2)}\n`;
}
