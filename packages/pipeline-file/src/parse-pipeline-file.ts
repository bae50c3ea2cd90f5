/** Parses pipeline files without file access. `load-pipeline-file.ts` reads accuracy tables given by path. */
import type { PipelineSpec } from '@equipoise/core/model';
import { type CheckedDocument, checkDocument, type DocumentRules } from './check-document.js';
import type { SpecDraft } from './draft.js';
import type { Problem } from './problem.js';
import { type PipelineFile, pipelineFileSchema } from './schema/pipeline-file-schema.js';
import { semanticFindings } from './semantic-checks/semantic-findings.js';
import { toSpec } from './to-spec.js';

/** File name for messages, and folder of relative paths. */
export interface PipelineFileOrigin {
  readonly fileName: string;
  readonly baseDir: string;
}

/** Spec with warnings, or all problems sorted by position. */
export type PipelineFileResult =
  | { readonly kind: 'valid'; readonly spec: PipelineSpec; readonly warnings: readonly Problem[] }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

const rules: DocumentRules<PipelineFile> = {
  schema: pipelineFileSchema,
  semanticFindings: (document) => {
    const spec = (document as { readonly spec?: SpecDraft } | undefined)?.spec;
    return spec === undefined ? [] : semanticFindings(spec);
  },
};

/** Checks a file without building a spec. */
export function checkPipelineFile(text: string, fileName: string): CheckedDocument<PipelineFile> {
  return checkDocument(text, fileName, rules);
}

/** Reads YAML or JSON; never throws on bad input. */
export function parsePipelineFile(text: string, origin: PipelineFileOrigin): PipelineFileResult {
  const checked = checkPipelineFile(text, origin.fileName);
  if (checked.kind === 'invalid') return checked;
  return { kind: 'valid', spec: toSpec(checked.output, origin.baseDir), warnings: checked.warnings };
}
