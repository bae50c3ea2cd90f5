import { missingReference } from '@equipoise/adapter-embedded/launch-rules';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import pc from 'picocolors';
import { problemLines } from '../compose/load-spec.js';
import { counted } from '../terminal/counted.js';
import type { CommandResult } from '../terminal/run-command.js';

/** `equipoise validate`: lists all problems of a file, also other files that are missing. Exits with 1 if there are any. */
export async function validate(file: string): Promise<CommandResult> {
  const result = await loadPipelineFile(file, missingReference);
  if (result.kind === 'valid') {
    const warnings = problemLines(file, result.warnings).map((line) => `${pc.yellow('warning')} ${line}`);
    const { stages, name } = result.spec;
    const variants = stages.reduce((sum, stage) => sum + stage.variants.length, 0);
    const text = `${pc.green('valid')}: pipeline ${name} with ${counted(stages.length, 'stage')} and ${counted(variants, 'variant')}`;
    return { json: { valid: true, problems: [] }, text: [...warnings, text].join('\n') };
  }
  const { problems } = result;
  const text = [
    ...problemLines(file, problems),
    pc.red(problems.length === 1 ? 'one problem' : `${problems.length} problems`),
  ].join('\n');
  return { json: { valid: false, problems }, text, answerIsNo: true };
}
