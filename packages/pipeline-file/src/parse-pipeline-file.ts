/** The text of a pipeline file → its spec, or everything that is wrong with it. No file is touched: a table given by path is left to the loader. */
import type { PipelineSpec } from '@equipoise/core/model';
import { type CheckedDocument, checkDocument, type DocumentRules } from './check-document.js';
import type { SpecDraft } from './draft.js';
import type { Problem } from './problem.js';
import { type PipelineFile, pipelineFileSchema } from './schema/pipeline-file-schema.js';
import { pipelineJsonSchema } from './schema/pipeline-json-schema.js';
import { semanticFindings } from './semantic-checks/semantic-findings.js';
import { toSpec } from './to-spec.js';

/** What the parser is told about the file: its name, for messages, and its folder, against which the paths inside are read. */
export interface PipelineFileOrigin {
  readonly fileName: string;
  readonly baseDir: string;
}

/** A spec with what is odd about it, or all problems in order of position. */
export type PipelineFileResult =
  | { readonly kind: 'valid'; readonly spec: PipelineSpec; readonly warnings: readonly Problem[] }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

const rules: DocumentRules<PipelineFile> = {
  schema: { zod: pipelineFileSchema, json: pipelineJsonSchema },
  semanticFindings: (document) => {
    const spec = (document as { readonly spec?: SpecDraft } | undefined)?.spec;
    return spec === undefined ? [] : semanticFindings(spec);
  },
};

/** Checks the text of a pipeline file without turning it into a spec. */
export function checkPipelineFile(text: string, fileName: string): CheckedDocument<PipelineFile> {
  return checkDocument(text, fileName, rules);
}

/** Parses the text of a pipeline file (YAML or JSON); never throws on bad input. */
export function parsePipelineFile(text: string, origin: PipelineFileOrigin): PipelineFileResult {
  const checked = checkPipelineFile(text, origin.fileName);
  if (checked.kind === 'invalid') return checked;
  return { kind: 'valid', spec: toSpec(checked.output, origin.baseDir), warnings: checked.warnings };
}
