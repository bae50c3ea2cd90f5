export { API_VERSION, PIPELINE_KIND } from './api-version.js';
export { type CompiledCondition, type Condition, compileCondition } from './condition/compile-condition.js';
export { loadAccuracyTable, loadPipelineFile } from './load-pipeline-file.js';
export { type PipelineFileOrigin, type PipelineFileResult, parsePipelineFile } from './parse-pipeline-file.js';
export type { Finding, Problem } from './problem.js';
export { type JsonSchemaNode, pipelineJsonSchema } from './schema/pipeline-json-schema.js';
export { type PipelineDocument, toDocument } from './to-document.js';
export { type MeasuredTable, withAccuracyTable } from './to-spec.js';
