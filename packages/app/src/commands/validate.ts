import { missingReference } from '@equipoise/adapter-embedded/launch-rules';
import type { EngineLimits, RenderTarget } from '@equipoise/adapter-kubernetes';
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import pc from 'picocolors';
import { problemCount, problemLines } from '../compose/load-spec.js';
import { outputFile } from '../report/output-file.js';
import { drawPipeline, type GraphFormat } from '../report/pipeline-graph.js';
import { counted } from '../terminal/counted.js';
import type { CommandResult } from '../terminal/run-command.js';

export interface ValidateOptions {
  /** Also checks what this engine cannot do. */
  readonly target?: RenderTarget;
  readonly graph?: GraphFormat;
  readonly out?: string;
}

/** `equipoise validate`: lists all problems of a file, also of the files that it names. Exits with 1 if there are any. */
export async function validate(file: string, options: ValidateOptions = {}): Promise<CommandResult> {
  const { graph: format, out, target } = options;
  if (out !== undefined && format === undefined)
    throw new AppError(
      'WRONG_USAGE',
      '--out is the file of a drawing; add --graph text, --graph mermaid or --graph svg.',
    );
  const output = out === undefined ? undefined : await outputFile(out);
  const result = await loadPipelineFile(file, {
    missing: missingReference,
    // Imported only here: it loads the launchers, which an invalid file does not need.
    unusable: async (spec) => [
      ...(await engineLimits(spec, target)).refused,
      ...(await (await import('./unusable-files.js')).unusableFiles(spec)),
    ],
  });
  if (result.kind === 'valid') return validAnswer(file, result, { format, output, out, target });
  const { problems } = result;
  const lines = [...problemLines(file, problems), pc.red(problemCount(problems))];
  // Without `--out`, stdout is for the drawing alone.
  const shown = format !== undefined && out === undefined ? { text: '', notes: lines } : { text: lines.join('\n') };
  return { json: { valid: false, problems }, ...shown, answerIsNo: true };
}

type Valid = Extract<Awaited<ReturnType<typeof loadPipelineFile>>, { kind: 'valid' }>;

interface Shown {
  readonly format: GraphFormat | undefined;
  readonly output: Awaited<ReturnType<typeof outputFile>> | undefined;
  readonly out: string | undefined;
  readonly target: RenderTarget | undefined;
}

async function validAnswer(
  file: string,
  { spec, warnings: found }: Valid,
  { format, output, out, target }: Shown,
): Promise<CommandResult> {
  const graph = format && drawPipeline(spec, format);
  if (graph !== undefined) await output?.writeText(graph);
  const warnings = problemLines(file, found).map((line) => `${pc.yellow('warning')} ${line}`);
  const { stages, combines = [], name } = spec;
  const variants = stages.reduce((sum, stage) => sum + stage.variants.length, 0);
  const text = `${pc.green('valid')}: pipeline ${name} with ${counted(stages.length + combines.length, 'stage')} and ${counted(variants, 'variant')}`;
  const shown = graph === undefined ? text : out === undefined ? graph : `${text}\n${pc.dim(`drawn in ${out}`)}`;
  const { without } = await engineLimits(spec, target);
  const lacks = without.map((each) => `${pc.yellow('without')} ${each}`);
  return {
    json: { valid: true, problems: [], ...(graph !== undefined && { graph }), ...(target && { target, without }) },
    text: shown,
    notes: [...warnings, ...lacks],
  };
}

/** Limits of the target; none without one. Imported only here, since other checks need no cluster. */
async function engineLimits(spec: PipelineSpec, target: RenderTarget | undefined): Promise<EngineLimits> {
  if (target === undefined) return { refused: [], without: [] };
  const { engineFor } = await import('@equipoise/adapter-kubernetes');
  return engineFor(target).limits(spec);
}
