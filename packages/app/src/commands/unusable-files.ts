import { resolve } from 'node:path';
import { isAddress } from '@equipoise/adapter-artifacts';
import { exportedFunctions } from '@equipoise/adapter-embedded';
import { AppError, errorCodes, type PipelineSpec, type StageSpec } from '@equipoise/core/model';
import type { ReplicaLauncher } from '@equipoise/core/ports';
import type { Finding } from '@equipoise/pipeline-file';
import { labelledFiles, loadPipelineSamples, requireEvaluationFunctions } from '@equipoise/runtime';
import { embeddedLauncher } from '../compose/embedded-launcher.js';
import { log } from '../terminal/log.js';

const NOTICE_AFTER_MS = 5_000;
const NOT_LOADED = 'The variants after it were not loaded.';

/**
 * Files that exist but cannot be used: samples that the source does not accept, labels that cannot be read, an
 * evaluation module without its functions, variants that do not load. Loads each variant once, except servers,
 * synthetic variants, remote artifacts and variants that need a GPU. The first variant that does not load in time is the
 * last. Throws STORE_FAILED if compiled modules cannot be written.
 */
export async function unusableFiles(
  spec: PipelineSpec,
  launcher: ReplicaLauncher = embeddedLauncher(spec),
): Promise<readonly Finding[]> {
  const { sources, evaluation, baseDir, stages } = spec;
  const findings: (Finding | undefined)[] = [];
  if (sources[0]?.samplesPath !== undefined)
    findings.push(await failureOf(['spec', 'sources', 0, 'samples'], () => loadPipelineSamples(spec, 1)));
  if (evaluation !== undefined) {
    const { module, metric, dataPath } = evaluation;
    findings.push(
      await (module === undefined
        ? failureOf(['spec', 'evaluation', 'data'], () => labelledFiles(spec, resolve(baseDir, dataPath), 1))
        : failureOf(['spec', 'evaluation', 'module'], async () =>
            requireEvaluationFunctions(await exportedFunctions(module, baseDir), metric !== undefined),
          )),
    );
  }
  for (const [index, stage] of stages.entries()) {
    const { failures, timedOut } = await stageFailures(spec.baseDir, launcher, { stage, index });
    findings.push(...failures);
    if (timedOut) break;
  }
  return findings.filter((finding) => finding !== undefined);
}

interface StageFailures {
  readonly failures: readonly Finding[];
  readonly timedOut: boolean;
}

async function stageFailures(
  baseDir: string,
  launcher: ReplicaLauncher,
  { stage, index }: { readonly stage: StageSpec; readonly index: number },
): Promise<StageFailures> {
  const failures: Finding[] = [];
  if (stage.module === undefined) return { failures, timedOut: false };
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
    const notice = setTimeout(() => log(`variant ${variant.id} of stage ${stage.id} is loading`), NOTICE_AFTER_MS);
    const found = await failureOf(path, async () => {
      const { runner } = await launcher.launch({ stage, variant, resources, baseDir });
      await runner.close();
    });
    clearTimeout(notice);
    if (found === undefined) continue;
    if (found.timedOut)
      return { failures: [...failures, { ...found, message: `${found.message} ${NOT_LOADED}` }], timedOut: true };
    // The module is the same for all variants.
    if (found.code === 'MODULE_INVALID')
      return { failures: [{ path: ['spec', 'stages', index, 'module'], message: found.message }], timedOut: false };
    failures.push(found);
  }
  return { failures, timedOut: false };
}

async function failureOf(
  path: Finding['path'],
  use: () => unknown,
): Promise<(Finding & { readonly code: string; readonly timedOut: boolean }) | undefined> {
  try {
    await use();
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'STORE_FAILED') throw error;
    const { code, message, details = {} } = error;
    const text = `${message.replace(/\.?$/, '.')} ${errorCodes[code].remedy}`;
    return { path, message: text, code, timedOut: 'launchTimeoutMs' in details };
  }
}
