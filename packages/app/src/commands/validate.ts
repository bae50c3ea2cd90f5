import { missingReference } from '@equipoise/adapter-embedded/launch-rules';
import { AppError } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import pc from 'picocolors';
import { problemCount, problemLines } from '../compose/load-spec.js';
import { outputFile } from '../report/output-file.js';
import { drawPipeline, type GraphFormat } from '../report/pipeline-graph.js';
import { counted } from '../terminal/counted.js';
import type { CommandResult } from '../terminal/run-command.js';

export interface ValidateOptions {
  readonly graph?: GraphFormat;
  readonly out?: string;
}

/** `equipoise validate`: lists all problems of a file, also of the files that it names. Exits with 1 if there are any. */
export async function validate(file: string, { graph: format, out }: ValidateOptions = {}): Promise<CommandResult> {
  if (out !== undefined && format === undefined)
    throw new AppError(
      'WRONG_USAGE',
      '--out is the file of a drawing; add --graph text, --graph mermaid or --graph svg.',
    );
  const output = out === undefined ? undefined : await outputFile(out);
  const result = await loadPipelineFile(file, {
    missing: missingReference,
    // Imported only here: it loads the launchers, which an invalid file does not need.
    unusable: async (spec) => (await import('./unusable-files.js')).unusableFiles(spec),
  });
  if (result.kind === 'valid') {
    const graph = format && drawPipeline(result.spec, format);
    if (graph !== undefined) await output?.writeText(graph);
    const warnings = problemLines(file, result.warnings).map((line) => `${pc.yellow('warning')} ${line}`);
    const { stages, combines = [], name } = result.spec;
    const variants = stages.reduce((sum, stage) => sum + stage.variants.length, 0);
    const text = `${pc.green('valid')}: pipeline ${name} with ${counted(stages.length + combines.length, 'stage')} and ${counted(variants, 'variant')}`;
    const shown = graph === undefined ? text : out === undefined ? graph : `${text}\n${pc.dim(`drawn in ${out}`)}`;
    return {
      json: { valid: true, problems: [], ...(graph !== undefined && { graph }) },
      text: shown,
      notes: warnings,
    };
  }
  const { problems } = result;
  const lines = [...problemLines(file, problems), pc.red(problemCount(problems))];
  // Without `--out`, stdout is for the drawing alone.
  const shown = format !== undefined && out === undefined ? { text: '', notes: lines } : { text: lines.join('\n') };
  return { json: { valid: false, problems }, ...shown, answerIsNo: true };
}
