import { isAddress } from '@equipoise/adapter-artifacts';
import { exportedFunctions } from '@equipoise/adapter-embedded';
import { AppError, errorCodes, type PipelineSpec, type StageSpec } from '@equipoise/core/model';
import type { Finding } from '@equipoise/pipeline-file';
import { loadPipelineSamples, requireEvaluationFunctions } from '@equipoise/runtime';
import { embeddedLauncher } from '../compose/embedded-launcher.js';

/**
 * Files that exist but cannot be used: samples that the source does not accept, an evaluation module without its
 * functions, variants that do not load. Loads each variant once, except servers, synthetic variants, remote artifacts
 * and variants that need a GPU.
 */
export async function unusableFiles(spec: PipelineSpec): Promise<readonly Finding[]> {
  const { sources, evaluation, baseDir, stages } = spec;
  const findings: (Finding | undefined)[] = [];
  if (sources[0]?.samplesPath !== undefined)
    findings.push(await failureOf(['spec', 'sources', 0, 'samples'], () => loadPipelineSamples(spec, 1)));
  if (evaluation !== undefined)
    findings.push(
      await failureOf(['spec', 'evaluation', 'module'], async () =>
        requireEvaluationFunctions(await exportedFunctions(evaluation.module, baseDir)),
      ),
    );
  for (const [index, stage] of stages.entries()) findings.push(...(await stageFailures(spec, stage, index)));
  return findings.filter((finding) => finding !== undefined);
}

async function stageFailures(spec: PipelineSpec, stage: StageSpec, index: number): Promise<Finding[]> {
  const launcher = embeddedLauncher(spec);
  const findings: Finding[] = [];
  if (stage.module === undefined) return findings;
  for (const [position, variant] of stage.variants.entries()) {
    const { server, artifact, gpus, memoryBytes, cpuCores } = variant;
    if (server !== undefined || gpus > 0 || (artifact !== undefined && isAddress(artifact))) continue;
    const resources = { cpuCores: cpuCores[0] ?? 1, memoryBytes, gpus };
    const path = [
      'spec',
      'stages',
      index,
      ...(artifact === undefined ? ['module'] : ['variants', position, 'artifact']),
    ];
    const found = await failureOf(path, async () => {
      const { runner } = await launcher.launch({ stage, variant, resources, baseDir: spec.baseDir });
      await runner.close();
    });
    if (found === undefined) continue;
    // The module is the same for all variants.
    if (found.code === 'MODULE_INVALID') return [{ path: ['spec', 'stages', index, 'module'], message: found.message }];
    findings.push(found);
  }
  return findings;
}

async function failureOf(
  path: Finding['path'],
  use: () => unknown,
): Promise<(Finding & { readonly code: string }) | undefined> {
  try {
    await use();
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { code, message } = error;
    return { path, message: `${message.replace(/\.?$/, '.')} ${errorCodes[code].remedy}`, code };
  }
}
