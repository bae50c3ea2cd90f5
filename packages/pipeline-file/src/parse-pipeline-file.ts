/** Parses pipeline files without file access. `load-pipeline-file.ts` reads accuracy tables given by path. */
import type { PipelineSpec } from '@equipoise/core/model';
import { type CheckedDocument, checkDocument } from './check-document.js';
import type { SpecDraft } from './draft.js';
import type { Finding, Problem } from './problem.js';
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

/** Checks a file without building a spec. `fileFindings` are findings about the files that it names. */
export function checkPipelineFile(
  text: string,
  fileName: string,
  fileFindings: (spec: SpecDraft) => readonly Finding[] = () => [],
): CheckedDocument<PipelineFile> {
  return checkDocument(text, fileName, {
    schema: pipelineFileSchema,
    semanticFindings: (document) => {
      const spec = (document as { readonly spec?: SpecDraft } | undefined)?.spec;
      return spec === undefined ? [] : [...semanticFindings(spec), ...fileFindings(spec)];
    },
  });
}

/** Reads YAML or JSON; never throws on bad input. */
export function parsePipelineFile(text: string, origin: PipelineFileOrigin): PipelineFileResult {
  const checked = checkPipelineFile(text, origin.fileName);
  if (checked.kind === 'invalid') return checked;
  return { kind: 'valid', spec: toSpec(checked.output, origin.baseDir), warnings: checked.warnings };
}
